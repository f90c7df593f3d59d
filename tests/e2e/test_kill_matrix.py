"""The control plane is killed at every step of every change, and everything converges.

The tables below name the steps: each is a moment just before or after something is done that
outlives the process. ``test_every_step_is_in_the_matrix`` fails when a change takes a step
that is in no table.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import itertools
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import httpx
import psycopg
import pytest

from poolkeeper.store import clusters
from tests.e2e.elsewhere import coming_from
from tests.e2e.load import Load
from tests.e2e.mortal import (
    Mortal,
    ask_for_cluster,
    await_converged,
    await_served,
    check_files,
    list_server_pids,
    open_parts,
    running_mortal,
)
from tests.e2e.service import Service
from tests.killed import MortalPlane, Step
from tests.plane import connect, wait_until

_numbers = itertools.count(1)

# Each life of a control plane takes seconds on a busy machine, and these tests have dozens.
MANY_LIVES = pytest.mark.timeout(600)

# A client's turn lasts so long that it takes no processor time worth mentioning.
PACED = "SELECT pg_sleep(0.05)"

EVENT = "poolkeeper.store.events:add_event"
ANNOUNCE = "poolkeeper.store.changes:Changes.announce"
PUBLISH = "poolkeeper.store.changes:Changes.publish"
STANDING = "poolkeeper.reconcile.standing:write_standing"
RENAME = "poolkeeper.engine.files:os.rename"
RELOAD = "poolkeeper.engine.pgbouncer.console:Console.reload"
RESUME = "poolkeeper.engine.pgbouncer.console:Console.resume"
RECONNECT = "poolkeeper.engine.pgbouncer.console:Console.reconnect"
PROBE = "poolkeeper.engine.pgbouncer.probe:probe_login"
TERMINATE = "poolkeeper.engine.postgres.backends:terminate_pool_backends"
ROLES = "poolkeeper.engine.postgres.roles:apply_roles"
DROP_USER = "poolkeeper.engine.postgres.roles:drop_user"
DATABASE = "poolkeeper.engine.postgres.databases:ensure_database"
DROP_DATABASE = "poolkeeper.engine.postgres.databases:drop_database"
RUN = "poolkeeper.engine.processes:Processes.run"
PRUNE_LOGS = "poolkeeper.engine.postgres.log:prune_logs"
ROTATE_LOG = "poolkeeper.engine.pgbouncer.log:rotate_pooler_log"
REMOVE_FILE = "poolkeeper.engine.files:remove_file"
SIGNAL_POSTGRES = "poolkeeper.engine.postgres.server:reload"
END_USER = "poolkeeper.engine.postgres.backends:end_user_sessions"
END_DATABASE = "poolkeeper.engine.postgres.backends:end_database_sessions"
ASK_PAUSE = "poolkeeper.engine.pgbouncer.console:Console.ask_pause"
CHECKPOINT = "poolkeeper.engine.postgres.backends:write_checkpoint"
STOP_POSTGRES = "poolkeeper.engine.postgres.server:stop"
START_POSTGRES = "poolkeeper.engine.postgres.server:start"
REMOVE_FILE = "poolkeeper.engine.files:remove_file"
OPEN_LOG = "poolkeeper.engine.files:open_log"
SPAWN = "poolkeeper.engine.processes:Processes.spawn"
ACCEPTING = "poolkeeper.engine.postgres.server:wait_until_accepting"
RESTART_WRITTEN = "poolkeeper.reconcile.standing:write_restart"
KILL_CLIENT = "poolkeeper.engine.pgbouncer.console:Console.kill_client"
END_OUTSIDE = "poolkeeper.engine.postgres.backends:end_outside_sessions"

ENTRIES, RULES, USERS, IDENT = (
    "pgbouncer-1.ini",
    "pgbouncer_hba.conf",
    "userlist.txt",
    "pg_ident.conf",
)


def before(*effects: str | tuple[str, str] | tuple[str, str, int]) -> tuple[Step, ...]:
    """A kill before each effect. After one is before the next: nothing else outlives a process."""
    return tuple(Step("before", *((each,) if isinstance(each, str) else each)) for each in effects)


# The event is the last statement of the call's transaction.
NOT_COMMITTED = Step("after", EVENT)
# The reconciler's own transaction: not committed, and committed but not told to anybody.
WRITTEN_DOWN = (Step("after", STANDING), Step("before", PUBLISH))


@dataclass
class World:
    """The cluster under test, with clients at work on two of its pools all the time."""

    mortal: Mortal
    loads: Sequence[Load]
    passwords: dict[str, str]

    def uri(self, pool: str, user: str | None = None) -> str:
        """A pool's URI, for its own user or another."""
        uri = f"postgresql://{{}}@127.0.0.1:{self.mortal.inside.ports.pool}/{pool}?sslmode=require"
        return uri.format(f"{user or 'doadmin'}:{self.passwords[user or 'doadmin']}")

    def direct_uri(self, database: str, user: str = "doadmin") -> str:
        port = self.mortal.inside.ports.direct
        return (
            f"postgresql://{user}:{self.passwords[user]}@127.0.0.1:{port}/{database}"
            "?sslmode=require"
        )


class Change:
    """A call of the API with its steps, and what is to be found before it and after it."""

    steps: ClassVar[Sequence[Step]]
    elsewhere: ClassVar[Sequence[Step]] = ()
    """Steps that it shares with another change, where they are tried."""
    restarts: ClassVar[Sequence[str]] = ()
    """The servers that may be others afterwards."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.service = world.mortal.service
        self.prepare()

    @property
    def api(self) -> httpx.Client:
        return self.service.api

    def path(self, *parts: str) -> str:
        return "/".join([self.service.address, *parts])

    def prepare(self) -> None:
        """See to what must be there before the call."""

    def call(self) -> httpx.Response:
        raise NotImplementedError

    def await_made(self) -> None:
        """Wait until it is in force, if the call does not."""

    def check(self, *, made: bool) -> None:
        """Everything is as after the call (``made``), or as if there had been none."""
        raise NotImplementedError

    def finish(self) -> None:
        """Make room for the next."""


class CreatePool(Change):
    steps = (
        *before(ANNOUNCE, (RENAME, RULES), (RENAME, ENTRIES), RELOAD, PROBE),
        *WRITTEN_DOWN,
        Step("after", PUBLISH),
    )

    def prepare(self) -> None:
        self.name = f"made-{next(_numbers)}"

    def call(self) -> httpx.Response:
        return self.service.try_pool(self.name, size=2)

    def check(self, *, made: bool) -> None:
        answer = self.api.get(self.path("pools", self.name))
        assert answer.status_code == (200 if made else 404)
        assert can_log_in(self.world.uri(self.name)) is made

    def finish(self) -> None:
        if self.api.get(self.path("pools", self.name)).is_success:
            self.service.delete_pool(self.name)


class UpdatePool(Change):
    name = "changing"
    one: ClassVar[Mapping[str, Any]]
    other: ClassVar[Mapping[str, Any]]

    def prepare(self) -> None:
        self.service.change_pool(self.name, **self.one)

    def call(self) -> httpx.Response:
        return self.service.try_change(self.name, **self.other)

    def check(self, *, made: bool) -> None:
        wanted = self.other if made else self.one
        found = self.api.get(self.path("pools", self.name)).json()["pool"]
        assert {key: found[key] for key in wanted} == wanted


class ChangeSize(UpdatePool):
    one: ClassVar = {"size": 4}
    other: ClassVar = {"size": 3}
    steps = (*before((RENAME, ENTRIES), RELOAD), *WRITTEN_DOWN)
    elsewhere = CreatePool.steps


class ShrinkBusyPool(UpdatePool):
    """Its backends are all in a transaction; each one closes when that ends. It opens none
    while it is told so: three RELOADs."""

    name = "busy"
    one: ClassVar = {"size": 3}
    other: ClassVar = {"size": 1}
    steps = before(
        *((RENAME, ENTRIES, 2), (RELOAD, "", 2), (RENAME, ENTRIES, 3)),
        *(RECONNECT, (RELOAD, "", 3)),
    )
    elsewhere = CreatePool.steps

    def prepare(self) -> None:
        super().prepare()
        self.clients = [connect(self.world.uri(self.name), autocommit=False) for _ in range(3)]
        for client in self.clients:
            client.execute("SELECT 1")

    def check(self, *, made: bool) -> None:
        super().check(made=made)
        for client in self.clients:
            assert client.execute("SELECT 2").fetchone() == (2,)
            client.commit()
        if not made:
            return
        with self.world.mortal.inside.console() as console:
            wait_until(
                "the pool has shrunk", lambda: console.list_entries()[self.name].backends <= 1
            )
        for client in self.clients:
            assert client.execute("SELECT 3").fetchone() == (3,)
            client.commit()

    def finish(self) -> None:
        for client in self.clients:
            client.close()


class BecomeSessionPool(UpdatePool):
    name = "modal"
    one: ClassVar = {"mode": "transaction"}
    other: ClassVar = {"mode": "session"}
    steps = (*before((RENAME, ENTRIES), RELOAD), *WRITTEN_DOWN)
    elsewhere = CreatePool.steps


class BecomeTransactionPool(UpdatePool):
    """Its backends hold what sessions left in them, and are given up first."""

    name = "modal"
    one: ClassVar = {"mode": "session"}
    other: ClassVar = {"mode": "transaction"}
    steps = (
        *before((RENAME, ENTRIES), RELOAD, (RENAME, ENTRIES, 2), RECONNECT, (RELOAD, "", 2)),
        *WRITTEN_DOWN,
    )
    elsewhere = CreatePool.steps


class ChangeUser(UpdatePool):
    one: ClassVar = {"user": "doadmin"}
    other: ClassVar = {"user": "app"}
    steps = (*before((RENAME, RULES), RELOAD, PROBE), *WRITTEN_DOWN)

    def check(self, *, made: bool) -> None:
        super().check(made=made)
        user = (self.other if made else self.one)["user"]
        assert can_log_in(self.world.uri(self.name, "doadmin")) is (user == "doadmin")
        assert can_log_in(self.world.uri(self.name, "app")) is (user == "app")


class ChangeDatabase(UpdatePool):
    """The pool is first kept from opening backends: two RELOADs."""

    one: ClassVar = {"db": "defaultdb", "size": 6}
    other: ClassVar = {"db": "other"}
    steps = (
        *before((RENAME, ENTRIES), RELOAD, (RENAME, ENTRIES, 2), (RELOAD, "", 2), PROBE),
        *WRITTEN_DOWN,
    )


class ChangeIdleDatabase(UpdatePool):
    """A pool without backends cannot have one until the end of it."""

    name = "idle"
    one: ClassVar = {"db": "defaultdb"}
    other: ClassVar = {"db": "other"}
    steps = before(RELOAD, (RENAME, ENTRIES, 2), (RELOAD, "", 2))
    elsewhere = ChangeDatabase.steps

    def prepare(self) -> None:
        super().prepare()
        inside = self.world.mortal.inside
        with inside.console() as console, inside.connect() as connection:
            for pid in console.list_backend_pids(self.name):
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
            wait_until(
                "the pool has no backend",
                lambda: console.list_entries()[self.name].backends == 0,
            )

    def check(self, *, made: bool) -> None:
        super().check(made=made)
        wanted = (self.other if made else self.one)["db"]
        with connect(self.world.uri(self.name)) as client:
            assert client.execute("SELECT current_database()").fetchone() == (wanted,)


class DeletePool(Change):
    """A client is connected, so the pool drains before it goes."""

    steps = (
        *before((RENAME, RULES), RELOAD),
        *WRITTEN_DOWN,
        *before((RENAME, ENTRIES), (RELOAD, "", 2), TERMINATE),
        Step("after", STANDING, nth=2),
    )

    def prepare(self) -> None:
        self.name = f"leaving-{next(_numbers)}"
        self.client = connect(self.service.create_pool(self.name, size=2) + "&connect_timeout=5")
        self.client.execute("SELECT 1")

    def call(self) -> httpx.Response:
        return self.api.delete(self.path("pools", self.name))

    def check(self, *, made: bool) -> None:
        answer = self.api.get(self.path("pools", self.name))
        assert answer.status_code == (404 if made else 200)
        assert can_log_in(self.world.uri(self.name)) is not made
        if not made:
            assert self.client.execute("SELECT 2").fetchone() == (2,)

    def finish(self) -> None:
        self.client.close()
        if self.api.get(self.path("pools", self.name)).is_success:
            self.service.delete_pool(self.name)


class CreateDatabase(Change):
    steps = (*before(DATABASE), *WRITTEN_DOWN)

    def prepare(self) -> None:
        self.name = f"Data-{next(_numbers)}"

    def call(self) -> httpx.Response:
        return self.api.post(self.path("dbs"), json={"name": self.name})

    def check(self, *, made: bool) -> None:
        assert self.api.get(self.path("dbs", self.name)).is_success is made
        assert can_log_in(self.world.direct_uri(self.name)) is made


class DeleteDatabase(CreateDatabase):
    steps = (*before(DROP_DATABASE), Step("after", END_DATABASE), *WRITTEN_DOWN)

    def prepare(self) -> None:
        super().prepare()
        self.service.create_database(self.name)

    def call(self) -> httpx.Response:
        return self.api.delete(self.path("dbs", self.name))

    def check(self, *, made: bool) -> None:
        super().check(made=not made)


class CreateUser(Change):
    steps = (
        *before((RENAME, IDENT), SIGNAL_POSTGRES, ROLES, (RENAME, USERS), RELOAD),
        *WRITTEN_DOWN,
    )

    def prepare(self) -> None:
        self.name = f"User-{next(_numbers)}"

    def call(self) -> httpx.Response:
        return self.api.post(self.path("users"), json={"name": self.name})

    def check(self, *, made: bool) -> None:
        answer = self.api.get(self.path("users", self.name))
        assert answer.is_success is made
        if made:
            self.world.passwords[self.name] = answer.json()["user"]["password"]
            assert can_log_in(self.world.uri("inbound", self.name))
            assert can_log_in(self.world.direct_uri("defaultdb", self.name))
        else:
            with self.world.mortal.inside.connect() as connection:
                query = "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s"
                assert connection.execute(query, (self.name,)).fetchone() is None


class ResetPassword(Change):
    """What was made before the kill is known only from the API afterwards."""

    steps = (*before(ROLES, (RENAME, USERS), RELOAD), *WRITTEN_DOWN)

    def prepare(self) -> None:
        self.before = self.world.passwords["app"]

    def call(self) -> httpx.Response:
        return self.api.post(self.path("users", "app", "reset_auth"), json={})

    def check(self, *, made: bool) -> None:
        now = self.api.get(self.path("users", "app")).json()["user"]["password"]
        assert (now != self.before) is made
        for password in {now, self.before}:
            self.world.passwords["app"] = password
            assert can_log_in(self.world.uri("inbound", "app")) is (password == now)
            assert can_log_in(self.world.direct_uri("defaultdb", "app")) is (password == now)
        self.world.passwords["app"] = now


class DeleteUser(CreateUser):
    """It owns a database, which goes to doadmin; a client of its is in an inbound pool."""

    steps = (
        *before((RENAME, IDENT), SIGNAL_POSTGRES, DROP_USER),
        Step("after", END_USER),
        *before((RENAME, USERS), RELOAD, KILL_CLIENT),
        *WRITTEN_DOWN,
    )

    def prepare(self) -> None:
        super().prepare()
        self.world.passwords[self.name] = self.service.create_user(self.name)
        with self.world.mortal.inside.connect() as connection:
            connection.execute(f'CREATE DATABASE "{self.name}" OWNER "{self.name}"')
        self.client = connect(self.world.uri("inbound", self.name))

    def call(self) -> httpx.Response:
        return self.api.delete(self.path("users", self.name))

    def check(self, *, made: bool) -> None:
        super().check(made=not made)
        with self.world.mortal.inside.connect() as connection:
            query = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
            owner = connection.execute(query, (self.name,)).fetchone()
        assert owner == ("doadmin" if made else self.name,)
        refused = pytest.raises(psycopg.OperationalError)
        with refused if made else contextlib.nullcontext():
            self.client.execute("SELECT 1")

    def finish(self) -> None:
        self.client.close()


class ReplaceRules(Change):
    """A client of each server comes from an address that is trusted no more."""

    steps = (
        *before((RENAME, "pg_hba.conf"), SIGNAL_POSTGRES, (RENAME, RULES), RELOAD),
        *before(KILL_CLIENT, END_OUTSIDE),
        *WRITTEN_DOWN,
    )
    outside = "127.0.0.2"

    def prepare(self) -> None:
        self.ways = contextlib.ExitStack()
        uris = (self.world.uri("quiet"), self.world.direct_uri("defaultdb"))
        self.doors = [self.ways.enter_context(coming_from(self.outside, uri)) for uri in uris]
        self.clients = [
            self.ways.enter_context(contextlib.closing(connect(door))) for door in self.doors
        ]

    def call(self) -> httpx.Response:
        rules = [{"type": "ip_addr", "value": "127.0.0.1"}, {"type": "tag", "value": "web"}]
        return self.api.put(self.path("firewall"), json={"rules": rules})

    def check(self, *, made: bool) -> None:
        assert len(self.api.get(self.path("firewall")).json()["rules"]) == (2 if made else 0)
        assert [can_log_in(door) for door in self.doors] == [not made] * 2
        for client in self.clients:
            refused = pytest.raises(psycopg.OperationalError)
            with refused if made else contextlib.nullcontext():
                client.execute("SELECT 1")

    def finish(self) -> None:
        self.ways.close()
        assert self.api.put(self.path("firewall"), json={"rules": []}).is_success


class ChangeSettings(Change):
    """Of PostgreSQL one that is taken up live and one that waits, and one of PgBouncer."""

    steps = (
        *before((RENAME, "postgresql.conf.candidate"), RUN, REMOVE_FILE),
        *before((RENAME, "'postgresql.conf'"), SIGNAL_POSTGRES, (RENAME, ENTRIES), RELOAD),
        *WRITTEN_DOWN,
    )

    def patch(self, config: Mapping[str, object]) -> httpx.Response:
        return self.api.patch(self.path("config"), json={"config": config})

    def call(self) -> httpx.Response:
        pooler = {"server_lifetime": 900}
        return self.patch({"work_mem": 9, "max_wal_senders": 25, "pgbouncer": pooler})

    def check(self, *, made: bool) -> None:
        config = self.api.get(self.path("config")).json()["config"]
        shown = config["work_mem"], config["max_wal_senders"], config["pgbouncer"]
        assert (*shown[:2], shown[2]["server_lifetime"]) == (
            (9, 25, 900) if made else (7, 20, 3600)
        )
        inside = self.world.mortal.inside
        with inside.connect() as connection:
            assert connection.execute("SHOW work_mem").fetchone() == ("9MB" if made else "7MB",)
            query = b"SELECT name FROM pg_catalog.pg_settings WHERE pending_restart"
            assert connection.execute(query).fetchall() == [("max_wal_senders",)] * made
        assert inside.read_setting("server_lifetime") == ("900" if made else "3600")
        assert not (inside.paths.root / "postgresql.conf.candidate").exists()

    def finish(self) -> None:
        unset = {"work_mem": None, "max_wal_senders": None, "pgbouncer": None}
        assert self.patch(unset).status_code == 200


class ReplaceNames(Change):
    """Both servers show a certificate, and both have to be told of another."""

    steps = (
        *before((RENAME, "server.crt"), SIGNAL_POSTGRES, (RENAME, ENTRIES), RELOAD),
        *WRITTEN_DOWN,
    )
    name = "db.example.test"

    def put(self, *names: str) -> httpx.Response:
        body = {"do_settings": {"service_cnames": names}}
        return self.api.put(self.path("do_settings"), json=body)

    def call(self) -> httpx.Response:
        return self.put(self.name)

    def check(self, *, made: bool) -> None:
        settings = self.api.get(self.path("do_settings")).json()["do_settings"]
        assert settings == {"service_cnames": [self.name] * made}
        by_name = f"&host={self.name}&hostaddr=127.0.0.1"
        trust = f"&sslrootcert={self.world.mortal.plane.ca}"
        for uri in (self.world.uri("quiet"), self.world.direct_uri("defaultdb")):
            verified = uri.replace("sslmode=require", "sslmode=verify-full") + trust
            assert can_log_in(verified.replace("@127.0.0.1", "@localhost"))
            assert can_log_in(verified + by_name) == made

    def finish(self) -> None:
        assert self.put().is_success


class Resize(Change):
    """PostgreSQL is restarted while all pools are paused; their clients wait, and no more."""

    steps = (
        *before((RENAME, "postgresql.conf"), SIGNAL_POSTGRES),
        *WRITTEN_DOWN,
        *before(CHECKPOINT, (RENAME, ENTRIES), RELOAD),
        *before(ASK_PAUSE, (ASK_PAUSE, "", 3), STOP_POSTGRES),
        *before(START_POSTGRES, (REMOVE_FILE, "start.log"), OPEN_LOG, SPAWN, ACCEPTING),
        *before(RESUME, (RESUME, "", 3), (RENAME, ENTRIES, 2), (RELOAD, "", 2)),
        *before(RESTART_WRITTEN),
        Step("after", RESTART_WRITTEN),
        Step("after", STANDING, nth=2),
    )
    # Once PostgreSQL was restarted the next pass looks after everything, and may come in time to
    # be seen: logs, which are looked after in any minute.
    elsewhere = (Step("before", PRUNE_LOGS), Step("before", ROTATE_LOG))
    restarts = ("PostgreSQL",)
    one, other = "db-s-1vcpu-1gb", "db-s-1vcpu-2gb"

    def prepare(self) -> None:
        self.service.change_pool("modal", mode="transaction")

    def resize(self, size: str) -> httpx.Response:
        return self.api.put(self.path("resize"), json={"size": size, "num_nodes": 1})

    def call(self) -> httpx.Response:
        return self.resize(self.other)

    def await_made(self) -> None:
        wait_until(
            "the new size is in force",
            lambda: self.api.get(self.path()).json()["database"]["status"] == "online",
        )

    def check(self, *, made: bool) -> None:
        self.await_made()
        found = self.api.get(self.path()).json()["database"]
        assert found["size"] == (self.other if made else self.one)
        with self.world.mortal.inside.connect() as connection:
            shown = connection.execute("SHOW max_connections").fetchone()
        assert shown == ("50" if made else "25",)

    def finish(self) -> None:
        assert self.resize(self.one).is_success
        self.await_made()
        self.world.mortal.pids = self.world.mortal.list_pids()


CHANGES: Sequence[type[Change]] = (
    CreatePool,
    ChangeSize,
    ShrinkBusyPool,
    BecomeSessionPool,
    BecomeTransactionPool,
    ChangeUser,
    ChangeDatabase,
    ChangeIdleDatabase,
    DeletePool,
    CreateDatabase,
    DeleteDatabase,
    CreateUser,
    ResetPassword,
    DeleteUser,
    ReplaceRules,
    ChangeSettings,
    ReplaceNames,
    Resize,
)

MATRIX = [
    pytest.param(change, step, step is not NOT_COMMITTED, id=f"{change.__name__}-{step}")
    for change in CHANGES
    for step in (NOT_COMMITTED, *change.steps)
]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A cluster with a pool for each kind of change, and clients at work on two of them."""
    with running_mortal(drain_seconds=1, deleted_data_days=0) as mortal:
        service = mortal.service
        service.create_database("other")
        app = service.create_user("app")
        loads = [
            Load(service.create_pool("quiet"), 1, PACED, reconnect=False),
            Load(service.create_pool("changing", size=3), 1, PACED, reconnect=False),
            # What is prepared in a session is unknown to PgBouncer: `plan` says so.
            Unprepared(service.create_pool("modal", size=4), 1, PACED, reconnect=False),
        ]
        service.create_pool("inbound", user="")
        service.create_pool("idle")
        service.create_pool("busy", size=3)
        owner = service.api.get(f"{service.address}/users/doadmin").json()["user"]["password"]
        with at_work(loads):
            yield World(mortal, loads, {"doadmin": owner, "app": app})


class Unprepared(Load):
    """Clients that prepare nothing."""

    def _stay(self, number: int) -> None:
        with connect(self.uri, prepare_threshold=None) as connection:
            while not self._stopping.is_set():
                connection.execute(self.statement)
                self.turns[number] += 1


@contextlib.contextmanager
def at_work(loads: Sequence[Load]) -> Iterator[None]:
    try:
        for load in loads:
            load.start()
            load.await_turns(1)
        yield
    finally:
        for load in loads:
            load.stop()


@pytest.mark.parametrize(("change", "step", "made"), MATRIX)
def test_a_kill_leaves_a_change_made_or_not_made(
    world: World, change: type[Change], step: Step, made: bool
) -> None:
    mortal = world.mortal
    mortal.be_alive()
    under_way = change(world)
    answer = mortal.call_until_death(step, under_way.call)
    mortal.live_again()
    assert made or answer is None, "an answered call is lost"
    assert answer is None or answer.is_success, answer.text
    if made:
        under_way.await_made()
        mortal.accept_restarts(change.restarts)
    mortal.check()
    under_way.check(made=made)
    for load in world.loads:
        load.await_turns(1)
    under_way.finish()


FOLDERS = "poolkeeper.engine.layout:make_cluster_folders"
INITDB = "poolkeeper.engine.processes:Processes.run"
SIGNAL = "poolkeeper.engine.processes:signal_process"
STATISTICS = "poolkeeper.engine.postgres.databases:ensure_statistics"
SYNC = "poolkeeper.engine.files:sync_directory"
STATE = "poolkeeper.store.status:write_cluster_state"
DESCRIBE = "poolkeeper.reconcile.servers:Servers.describe"

# In the order of time: each life of the control plane begins where the one before ended, and
# ends at the next step. A text with {} stands for the cluster's id.
CREATION = (
    *before(ANNOUNCE, (STATE, "{}"), (FOLDERS, "{}")),
    *before(*((RENAME, repr(name)) for name in ("name", "ca.crt", "server.key", "server.crt"))),
    *before(*((RENAME, name) for name in ("postgresql.conf", "pg_hba.conf", IDENT))),
    *before((RENAME, "initdb.password"), (INITDB, "initdb")),
    Step("during", INITDB, "clusters/{}/data.new/PG_VERSION"),
    Step("during", INITDB, "clusters/{}/data.new/global/pg_control"),
    Step("after", INITDB, "initdb"),
    *before((RENAME, "data.new"), (SYNC, "{}"), (SPAWN, "{}/data")),
    Step("after", SPAWN, "{}/data"),
    Step("after", ACCEPTING, "{}"),
    *before(ROLES, DATABASE, STATISTICS),
    *before((RENAME, USERS), (RENAME, RULES), (RENAME, ENTRIES), TERMINATE),
    *before((SPAWN, "{}/pooler")),
    Step("after", SPAWN, "{}/pooler"),
    Step("after", STANDING, "{}"),
    *before((DESCRIBE, "{}")),
)

STOP_POOLER = "poolkeeper.engine.pgbouncer.process:stop_pooler"
REMOVE_TREE = "poolkeeper.engine.files:remove_tree"
STOPPED = "poolkeeper.reconcile.teardown:write_stopped"
REMOVE_CLUSTER = "poolkeeper.store.clusters:remove_cluster"

DELETION = (
    *before(ANNOUNCE, (STOP_POOLER, "{}"), SIGNAL, (STOP_POSTGRES, "{}"), SIGNAL),
    Step("after", SIGNAL),
    *before((REMOVE_TREE, "run/")),
    Step("after", STOPPED, "{}"),
    *before((REMOVE_TREE, "clusters/{}")),
    Step("before", "poolkeeper.engine.files:os.unlink", nth=100),
    Step("after", REMOVE_TREE, "clusters/{}"),
    Step("after", REMOVE_CLUSTER, "{}"),
)


@pytest.fixture(scope="module")
def born(world: World) -> str:
    """The id of a cluster whose control plane died at each step of its creation."""
    mortal = world.mortal
    mortal.be_alive()

    def find() -> list[str]:
        listed = mortal.client.get("/v2/databases").json()["databases"] or []
        return [str(each["id"]) for each in listed if each["name"] == "born"]

    def call() -> httpx.Response:
        return ask_for_cluster(mortal.client, "born")

    answer = mortal.call_until_death(NOT_COMMITTED, call)
    mortal.live_again()
    assert answer is None and find() == [], "a cluster that was never committed"
    mortal.call_until_death(CREATION[0], call)
    with open_parts(mortal.plane) as parts, parts.store.read() as tx:
        found = [each.id for each in clusters.list_clusters(tx) if each.name == "born"]
    assert len(found) == 1
    live_and_die(world, str(found[0]), CREATION[1:])
    assert find() == [str(found[0])]
    return str(found[0])


def live_and_die(world: World, cluster_id: str, steps: Sequence[Step]) -> None:
    """Live as often as there are steps, each time up to the next, and then on."""
    plane = world.mortal.plane
    pids: dict[str, list[int]] = {}
    for step in steps:
        armed = replace(step, text=step.text.format(cluster_id))
        plane.launch_to_die(armed)
        plane.await_death(armed)
        now = list_server_pids(plane, cluster_id)
        assert all(len(running) == 1 for running in now.values()), f"{armed}: {now}"
        kept = {
            name: running for name, running in pids.items() if now.get(name, running) != running
        }
        assert not kept, f"{armed}: {now} run instead of {pids}"
        pids = {name: running for name, running in now.items() if name != "initdb"}
    world.mortal.live_again()


@MANY_LIVES
def test_a_cluster_is_born_through_all_deaths(world: World, born: str) -> None:
    mortal = world.mortal
    standing = await_converged(mortal.client, born)
    assert standing["step"] == "" and standing["reason"] == ""
    assert {name: len(pids) for name, pids in list_server_pids(mortal.plane, born).items()} == {
        "PgBouncer": 1,
        "PostgreSQL": 1,
    }
    check_files(mortal.plane, born)
    mortal.check()
    events = mortal.client.get("/v1/events", params={"cluster_id": born}).json()["events"]
    kinds = [event["kind"] for event in events]
    assert sorted(kinds) == ["cluster_create", "cluster_online"]
    service = Service(mortal.client, {"id": born})
    with connect(service.create_pool("first-pool")) as client:
        assert client.execute("SHOW data_checksums").fetchone() == ("on",)


@MANY_LIVES
def test_a_cluster_ends_through_all_deaths(world: World, born: str) -> None:
    mortal = world.mortal
    mortal.be_alive()
    before = mortal.client.get(f"/v2/databases/{born}").json()["database"]

    def call() -> httpx.Response:
        return mortal.client.delete(f"/v2/databases/{born}")

    answer = mortal.call_until_death(NOT_COMMITTED, call)
    mortal.live_again()
    assert answer is None
    await_converged(mortal.client, born)
    mortal.call_until_death(DELETION[0], call)
    live_and_die(world, born, DELETION[1:])
    wait_until("its files are gone", lambda: not (mortal.plane.home / "clusters" / born).exists())
    assert mortal.client.get(f"/v2/databases/{born}").status_code == 404
    assert list_server_pids(mortal.plane, born) == {}
    mortal.check()

    def choose_port() -> int:
        planned = ask_for_cluster(mortal.client, "born", dry_run=True).json()["database"]
        return int(planned["connection"]["port"])

    # Its rows go after its files.
    port = before["connection"]["port"]
    wait_until("its port is another's to have", lambda: choose_port() == port)


FIRST_START = (
    *before("poolkeeper.engine.layout:make_state_folders"),
    *before("poolkeeper.store.sealing:load_sealer", "poolkeeper.store.revisions:upgrade"),
    Step("after", "poolkeeper.store.revisions:upgrade"),
    *before((RENAME, "'ca.key'"), (RENAME, "'ca.crt'")),
    Step("after", EVENT, "token_create"),
    *before(*((RENAME, repr(name)) for name in ("token", "api.key", "api.crt", "api.json"))),
    *before(("pathlib:Path.touch", "starting")),
    Step("after", EVENT, "cluster_create"),
    *before(ANNOUNCE),
    Step("after", "poolkeeper.control_plane.first_start:_await_creation"),
    Step("after", EVENT, "pool_create"),
    *before(PROBE, ("pathlib:Path.unlink", "starting")),
    Step("after", "pathlib:Path.unlink", "starting"),
)


@MANY_LIVES
def test_a_first_start_through_all_deaths() -> None:
    plane = MortalPlane()
    try:
        for step in FIRST_START:
            plane.launch_to_die(step)
            plane.await_death(step)
        plane.start()
        with plane.client() as client:
            (cluster,) = client.get("/v2/databases").json()["databases"]
            await_converged(client, cluster["id"])
            (pool,) = client.get(f"/v2/databases/{cluster['id']}/pools").json()["pools"]
        assert (cluster["name"], pool["name"], pool["size"]) == ("main", "main-pool", 10)
        assert can_log_in(pool["connection"]["uri"])
        assert not (plane.home / "starting").exists()
        check_files(plane, cluster["id"])
        uri = pool["connection"]["uri"]
        wait_until("it tells how to connect", lambda: uri in plane.output.read_text())
    except BaseException:
        print(plane.logs())
        raise
    finally:
        plane.destroy()


@MANY_LIVES
def test_every_step_is_in_the_matrix(world: World) -> None:
    """What acts on anything outside the process, while a change is made, must be in its table."""
    missing, due = [], 0.0
    for change in CHANGES:
        if time.monotonic() > due:
            begin_to_record(world.mortal)
            due = time.monotonic() + 20
        under_way = change(world)
        world.mortal.plane.take_record()
        answer = under_way.call()
        assert answer.is_success, answer.text
        under_way.await_made()
        await_served(world.mortal)
        covered = {step.what for step in (*change.steps, *change.elsewhere)} | BENEATH
        called = world.mortal.plane.take_record()
        missing += [(change.__name__, what) for what in called - covered if acts(what)]
        under_way.finish()
    told = "\n".join(f"{change}: {what}" for change, what in sorted(missing))
    assert not missing, f"steps that are in no table:\n{told}"


def begin_to_record(mortal: Mortal) -> None:
    """A control plane begun anew has no reason to look after logs and certificates for a
    minute."""
    mortal.plane.kill()
    mortal.live_again()
    mortal.plane.record()


BENEATH = {
    # What it writes is renamed into place, and what it sends is sent by another: in the tables.
    "poolkeeper.engine.files:write_if_changed",
    "poolkeeper.engine.processes:signal_process",
    # Takes note of what has ended by itself.
    "poolkeeper.engine.processes:Processes.reap",
    # Made of what is in the tables.
    "poolkeeper.store.database:Store.write",
    # There since the cluster is: steps of its creation.
    FOLDERS,
    "poolkeeper.engine.files:make_directory",
    "poolkeeper.engine.certificates:ensure_leaf",
}


def acts(what: str) -> bool:
    """Whether a function does more than look, think, or talk within the process or a transaction.

    Names of functions that only look begin with a verb that says so.
    """
    module, _, path = what.partition(":")
    name = path.rpartition(".")[2]
    if THINKS & {what, module} or LOOKS.fullmatch(name):
        return False
    function = functools.reduce(getattr, path.split("."), importlib.import_module(module))
    return next(iter(inspect.signature(function).parameters), "") != "tx"


LOOKS = re.compile(
    r"(find|read|list|count|is|are|observe|render|may|search|to|wait|connect|close|report)(_.*)?"
)
THINKS = {
    "poolkeeper.engine.host",
    "poolkeeper.engine.layout:ClusterPaths.of",
    "poolkeeper.engine.layout:ClusterPaths.pooler_run",
    "poolkeeper.engine.pgbouncer.binary:parse_version",
    "poolkeeper.engine.pgbouncer.log:log_file",
    "poolkeeper.store.changes",
    "poolkeeper.store.observations",
    "poolkeeper.store.sealing",
    "poolkeeper.store.timestamps",
}


def can_log_in(uri: str) -> bool:
    try:
        with connect(uri) as client:
            client.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True
