"""Pools that change, drain and shrink under clients that notice nothing of it."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.inside import Inside, Watch
from tests.e2e.load import running_load
from tests.e2e.service import Json, Service, fails_with, log_in_as
from tests.plane import Plane, connect, wait_until

DRAIN_SECONDS = 2  # as the control plane of the tests has it

WHO = "SELECT current_user::text, current_database()::text"


@pytest.fixture(scope="module")
def service(api: httpx.Client, cluster: Json) -> Service:
    service = Service(api, cluster)
    service.create_database("Other-Data")
    return service


@pytest.fixture(scope="module")
def inside(plane: Plane, service: Service) -> Inside:
    return Inside(plane, service.id)


@pytest.fixture(scope="module")
def passwords(service: Service, cluster: Json) -> dict[str, str]:
    """Users, one of them before ``doadmin`` in the alphabet and one after, and passwords."""
    made = {name: service.create_user(name) for name in ("App-User", "zoe")}
    return made | {"doadmin": cluster["connection"]["password"]}


def ask(client: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row = client.execute(query.encode()).fetchone()
    assert row is not None
    return row


class Shape:
    """What a pool was last told to be, and whether it is that."""

    def __init__(
        self, service: Service, inside: Inside, name: str, uri: str, passwords: dict[str, str]
    ) -> None:
        self._service = service
        self._inside = inside
        self._name = name
        self._uri = uri
        self._passwords = passwords
        pool = service.read_pool(name)
        self.now = {key: pool[key] for key in ("mode", "size", "db", "user")}

    def change(self, **change: Any) -> None:
        """Change the pool; at once all is as it was asked, without waiting."""
        self._service.change_pool(self._name, **change)
        self.now |= change
        self._check_standing()
        self._check_served()
        self._check_behaviour()

    def _check_standing(self) -> None:
        pool = self._service.read_pool(self._name)
        assert {key: pool[key] for key in self.now} == self.now
        assert pool["applied_generation"] == pool["generation"]
        assert pool["phase"] in ("active", "draining"), pool

    def _check_served(self) -> None:
        with self._inside.console() as console:
            entry = console.list_entries()[self._name]
        assert (entry.mode, entry.size, entry.max_connections, entry.db) == (
            self.now["mode"],
            self.now["size"],
            self.now["size"],
            self.now["db"],
        )
        assert not entry.paused

    def _check_behaviour(self) -> None:
        user = self.now["user"] or "zoe"
        uri = log_in_as(self._uri, user, self._passwords[user])
        with contextlib.closing(connect(uri)) as client:
            assert ask(client, WHO) == (user, self.now["db"])
            if self.now["mode"] == "statement":
                assert "not allowed" in fails_with(lambda: client.execute("BEGIN"))
            if self.now["mode"] == "session":
                client.execute("SET work_mem = '77MB'")
                assert ask(client, "SHOW work_mem") == ("77MB",)
        if self.now["user"]:
            for other in self._passwords.keys() - {user}:
                with pytest.raises(psycopg.OperationalError):
                    connect(log_in_as(self._uri, other, self._passwords[other]))


CHANGES: list[dict[str, Any]] = [
    {"size": 9},
    {"mode": "statement"},
    {"db": "Other-Data"},
    {"user": "App-User"},
    {"size": 7},
    {"mode": "transaction", "db": "defaultdb"},
    {"user": ""},
    {"mode": "session", "size": 14},
    {"mode": "transaction", "size": 8, "user": "zoe"},
    {"db": "Other-Data", "size": 12, "mode": "statement"},
    {"user": "doadmin"},
    {"db": "defaultdb", "mode": "transaction", "size": 8},
]


def test_changes_of_everything_under_load(
    service: Service, inside: Inside, passwords: dict[str, str]
) -> None:
    """Twice round all changes, with new clients beside those that are connected.

    They prepare nothing: another test says what sessions do to that.
    """
    with (
        service.pool("live", size=8) as uri,
        running_load(uri, 8, prepare_threshold=None) as load,
    ):
        shape = Shape(service, inside, "live", uri, passwords)
        for change in [*CHANGES, *CHANGES]:
            shape.change(**change)
            load.await_turns(1)
    assert load.errors == []


def test_sizes_under_a_load_that_always_waits(service: Service, inside: Inside) -> None:
    with (
        service.pool("live", size=2) as uri,
        Watch(inside, lambda found: str(found) if found.total() > 22 else "") as watch,
        running_load(uri, 25) as load,
    ):
        for size in (10, 3, 22, 1, 5, 2) * 2:
            service.change_pool("live", size=size)
            load.await_turns(1)
    assert watch.excesses == []
    assert load.errors == []


def test_databases_under_a_load_that_always_waits(service: Service, inside: Inside) -> None:
    """Trap: a login in flight while the database changes fails, and waiting clients with it."""
    with service.pool("live", size=4) as uri, running_load(uri, 16) as load:
        for number in range(12):
            service.change_pool("live", db=("Other-Data", "defaultdb")[number % 2])
            if number % 3 == 0:  # sometimes at once again, while backends still log in
                load.await_turns(1)
    assert load.errors == []


def test_databases_of_a_pool_that_has_the_whole_budget(service: Service, inside: Inside) -> None:
    """Backends that end and such that begin meet, and there is not one to spare."""
    with service.pool("live", size=22) as uri, running_load(uri, 25) as load:
        for number in range(6):
            service.change_pool("live", db=("Other-Data", "defaultdb")[number % 2])
            load.await_turns(1)
    assert load.errors == []


def test_databases_of_a_pool_that_comes_and_goes(service: Service, inside: Inside) -> None:
    """Clients that log in all the time, so that some are new while the database changes."""
    with (
        service.pool("live", size=4) as uri,
        running_load(uri, 6, "SELECT 1", reconnect=True) as load,
    ):
        for number in range(8):
            service.change_pool("live", db=("Other-Data", "defaultdb")[number % 2])
            load.await_turns(1)
    assert load.errors == []


def test_databases_of_a_pool_whose_users_take_backends_from_one_another(
    service: Service, passwords: dict[str, str]
) -> None:
    """Trap: for a user without a backend, PgBouncer closes an idle one of another user and logs
    in, at any moment and however large the pool may be."""
    with contextlib.ExitStack() as open_:
        uri = open_.enter_context(service.pool("shared", user="", size=2))
        loads = [
            open_.enter_context(running_load(log_in_as(uri, user, password), 1, "SELECT 1"))
            for user, password in passwords.items()
        ]
        for number in range(20):
            service.change_pool("shared", db=("Other-Data", "defaultdb")[number % 2])
            for load in loads:
                load.await_turns(1)
    assert [load.errors for load in loads] == [[], [], []]


def test_a_changed_database_reaches_clients_at_their_next_transaction(service: Service) -> None:
    with (
        service.pool("moving", size=3) as uri,
        connect(uri) as busy,
        connect(uri) as idle,
    ):
        assert ask(idle, WHO) == ("doadmin", "defaultdb")
        busy.execute("BEGIN")
        assert ask(busy, WHO) == ("doadmin", "defaultdb")
        plan = service.plan("moving", db="Other-Data")
        assert [(change["field"], change["effect"]) for change in plan["changes"]] == [
            ("db", "next-transaction")
        ]
        assert plan["disconnects"] == 0
        service.change_pool("moving", db="Other-Data")
        assert ask(idle, WHO) == ("doadmin", "Other-Data")
        assert ask(busy, WHO) == ("doadmin", "defaultdb")
        busy.execute("COMMIT")
        assert ask(busy, WHO) == ("doadmin", "Other-Data")


def test_a_changed_user_reaches_new_logins_only(
    service: Service, passwords: dict[str, str]
) -> None:
    with service.pool("whose", size=3) as uri, connect(uri) as old:
        for user, allowed in (
            ("zoe", {"zoe"}),
            ("", {"zoe", "App-User", "doadmin"}),
            ("App-User", {"App-User"}),
            ("doadmin", {"doadmin"}),
        ):
            plan = service.plan("whose", user=user)
            assert [(change["field"], change["effect"]) for change in plan["changes"]] == [
                ("user", "new-connections")
            ]
            service.change_pool("whose", user=user)
            for name, password in passwords.items():
                new = log_in_as(uri, name, password)
                if name in allowed:
                    with connect(new) as client:
                        assert ask(client, WHO) == (name, "defaultdb")
                else:
                    assert fails_with(lambda: connect(new))  # noqa: B023
            assert ask(old, WHO) == ("doadmin", "defaultdb")


def test_a_user_changes_while_the_old_one_keeps_all_backends_busy(
    service: Service, passwords: dict[str, str]
) -> None:
    """PgBouncer makes nobody give up a backend for another user, and the plan says so."""
    with service.pool("whose", size=2) as uri:
        with running_load(uri, 10) as load:
            (change,) = service.plan("whose", user="zoe")["changes"]
            assert "while those who stay keep all backends busy, new ones wait" in change["detail"]
            for user in ("zoe", "", "App-User", "doadmin", "zoe"):
                service.change_pool("whose", user=user)
                load.await_turns(1)
        assert load.errors == []
        with connect(log_in_as(uri, "zoe", passwords["zoe"])) as client:
            assert ask(client, WHO) == ("zoe", "defaultdb")


def test_what_a_session_left_behind_reaches_nobody_when_the_mode_changes(
    service: Service, inside: Inside
) -> None:
    """A backend goes back uncleaned in transaction mode; one from a session must not."""
    with service.pool("sticky", mode="session", size=1) as uri:
        with connect(uri) as client:
            client.execute("SET work_mem = '77MB'")
            client.execute("SELECT pg_advisory_lock(7)")
            service.change_pool("sticky", mode="transaction")
            client.execute("SELECT 1")
        with connect(uri) as other:
            assert ask(other, "SHOW work_mem") != ("77MB",)
            # The backend that had it takes a moment to end once PgBouncer has closed it.
            wait_until("the lock is free", lambda: ask(other, "SELECT pg_try_advisory_lock(7)")[0])


def plan_mode(service: Service, name: str, mode: str) -> str:
    """What the plan says of a change of the mode alone."""
    (change,) = service.plan(name, mode=mode)["changes"]
    assert (change["field"], change["effect"]) == ("mode", "next-transaction")
    return str(change["detail"])


def test_prepared_statements_live_through_a_change_of_mode(service: Service) -> None:
    with service.pool("modal") as uri, connect(uri, prepare_threshold=1) as client:
        for mode in ("statement", "transaction"):
            assert ask(client, "SELECT 1") == (1,)
            assert "prepared" not in plan_mode(service, "modal", mode)
            service.change_pool("modal", mode=mode)
            assert ask(client, "SELECT 1") == (1,)


def test_the_plan_says_what_session_mode_does_to_prepared_statements(service: Service) -> None:
    """PgBouncer follows them in the other modes only, under names of its own."""
    with service.pool("modal") as uri:
        for mode in ("session", "transaction"):
            with contextlib.closing(connect(uri, prepare_threshold=1)) as client:
                for _ in range(2):
                    assert ask(client, "SELECT 1") == (1,)
                assert "prepared" in plan_mode(service, "modal", mode)
                service.change_pool("modal", mode=mode)
                failure = fails_with(lambda: client.execute("SELECT 1"))
                assert "prepared statement" in failure and "not exist" in failure


def test_the_plan_says_what_statement_mode_does_to_transactions(service: Service) -> None:
    with service.pool("strict") as uri, contextlib.closing(connect(uri)) as client:
        client.execute("BEGIN")
        assert "a transaction that is open then is refused" in plan_mode(
            service, "strict", "statement"
        )
        service.change_pool("strict", mode="statement")
        refusal = fails_with(lambda: client.execute("SELECT 1"))
        assert "transaction blocks not allowed in statement pooling mode" in refusal


# -- smaller -----------------------------------------------------------------------------------


def test_a_saturated_pool_really_shrinks(service: Service, inside: Inside) -> None:
    """Trap: PgBouncer closes idle backends only, and a saturated pool has none."""
    allowed = 10
    with (
        service.pool("saturated", size=10) as uri,
        Watch(inside, lambda found: str(found) if found.total() > allowed else "") as watch,
        running_load(uri, 20) as load,
    ):
        wait_until("all backends are open", lambda: watch.count() == 10)
        service.change_pool("saturated", size=2)
        wait_until("it has shrunk", lambda: watch.count() <= 2)
        allowed = 2
        load.await_turns(3)
        wait_until("it says so", lambda: service.read_pool("saturated")["phase"] == "active")
        assert service.read_pool("saturated")["held"] == 2
    assert watch.excesses == []
    assert load.errors == []


def begin(uri: str, count: int, open_: contextlib.ExitStack) -> list[psycopg.Connection[Any]]:
    """So many clients, each in a transaction."""
    clients = [open_.enter_context(connect(uri)) for _ in range(count)]
    for client in clients:
        client.execute("BEGIN")
        client.execute("SELECT 1")
    return clients


def test_what_a_shrinking_pool_still_holds_is_not_given_to_others(
    service: Service, inside: Inside
) -> None:
    with (
        service.pool("long", size=6) as uri,
        service.pool("other", size=1),
        Watch(inside) as watch,
        ThreadPoolExecutor(1) as worker,
        contextlib.ExitStack() as open_,
    ):
        clients = begin(uri, 6, open_)
        service.change_pool("long", size=2)
        standing = service.read_pool("long")
        assert (standing["phase"], standing["held"]) == ("draining", 6)
        assert "size 2, open 6" in standing["reason"]
        assert service.read_cluster()["budget"] == {"total": 22, "held": 7, "free": 15}
        # What can never fit is refused at once; what will fit waits.
        assert "15 left of 22" in service.try_pool("greedy", size=20).json()["message"]
        waiting = worker.submit(service.try_pool, "patient", size=19)
        for mode in ("session", "statement", "transaction"):  # passes of the reconciler
            service.change_pool("other", mode=mode)
        assert not waiting.done()
        assert service.read_pool("long")["held"] == 6
        for client in clients[:4]:
            client.execute("COMMIT")
        assert waiting.result().status_code == 201
        # Two here, one in the other pool, and one that showed that the new pool works.
        wait_until("the others have ended", lambda: watch.count() <= 4)
        assert ask(clients[4], "SELECT 2") == (2,)
        wait_until("it says so", lambda: service.read_pool("long")["phase"] == "active")
        service.delete_pool("patient")


# -- gone --------------------------------------------------------------------------------------


def is_drain_over(asked_at: float) -> bool:
    """Whether a pool whose end was asked for then (monotonic) may have cut its clients by now."""
    return time.monotonic() - asked_at >= DRAIN_SECONDS


def is_served(client: psycopg.Connection[Any]) -> bool:
    try:
        return ask(client, "SELECT 1") == (1,)
    except psycopg.Error:
        return False


def test_a_deleted_pool_drains_and_is_then_cut(service: Service, inside: Inside) -> None:
    service.create_pool("other", size=1)
    uri = service.create_pool("going", size=3)
    with (
        contextlib.closing(connect(uri)) as idle,
        running_load(uri, 2) as load,
        ThreadPoolExecutor(1) as worker,
    ):
        before = time.monotonic()
        service.delete_pool("going")
        assert service.api.get(f"{service.address}/pools/going").status_code == 404
        assert service.api.get(f"/v1/clusters/{service.id}/pools/going").status_code == 404
        assert fails_with(lambda: connect(uri))
        # On a machine that had no time for us all the while, they were cut already.
        assert is_served(idle) or is_drain_over(before)
        # Until they are gone, what they hold is not given to others.
        assert service.read_cluster()["budget"]["held"] == 4 or is_drain_over(before)
        waiting: Future[httpx.Response] = worker.submit(service.try_pool, "next", size=21)
        wait_until("it is cut", lambda: load.errors)
        assert time.monotonic() - before >= DRAIN_SECONDS
        assert fails_with(lambda: idle.execute("SELECT 1"))
        assert waiting.result().status_code == 201
    assert inside.read_caps() == {"other": 1, "next": 21}
    for name in ("other", "next"):
        service.delete_pool(name)
        service.await_free(name)


def test_a_long_query_of_a_deleted_pool_does_not_outlive_it(
    service: Service, inside: Inside
) -> None:
    """PgBouncer lets it run on in PostgreSQL, where it would still use what others got."""
    uri = service.create_pool("going")
    failures: list[str] = []
    with inside.connect() as superuser, contextlib.closing(connect(uri)) as client:

        def count() -> int:
            query = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
            return int(ask(superuser, query)[0])

        thread = threading.Thread(
            target=lambda: failures.append(
                fails_with(lambda: client.execute("SELECT pg_sleep(600)"))
            )
        )
        thread.start()
        wait_until("the query runs", count)
        service.delete_pool("going")
        service.await_free("going")
        assert count() == 0
        thread.join()
        assert len(failures) == 1


def test_a_pool_without_clients_is_gone_at_once(service: Service, inside: Inside) -> None:
    uri = service.create_pool("going", size=5)
    connect(uri).close()
    with inside.console() as console:
        wait_until("its client has left", lambda: console.list_entries()["going"].clients == 0)
    before = time.monotonic()
    service.delete_pool("going")
    assert "going" not in inside.read_caps()
    # For a while its share is kept for its name.
    budget = service.read_cluster()["budget"]
    assert budget == {"total": 22, "held": 5, "free": 17} or is_drain_over(before)
    service.await_free("going")
    assert service.read_cluster()["budget"] == {"total": 22, "held": 0, "free": 22}


@pytest.mark.usefixtures("passwords")
def test_a_pool_of_the_same_name_takes_over_the_clients(service: Service) -> None:
    """That is how Terraform changes a pool: it deletes it and makes it anew.

    If a busy machine takes longer for that than clients have to leave, they are cut, and it is
    to be seen another time.
    """
    while not are_taken_over(service):
        pass


def are_taken_over(service: Service) -> bool:
    """Whether the pool was there again in time, each time; then nobody may have been cut."""
    uri = service.create_pool("taken", size=3)
    drained = service.create_pool("drained")
    try:
        with running_load(uri, 6) as load, running_load(drained, 1) as witness:
            for number in range(3):
                shape = {"size": 4 + number, "user": ("", "zoe", "doadmin")[number]}
                if not make_anew(service, "taken", **shape):
                    return False
                assert service.read_pool("taken")["size"] == 4 + number
                load.await_turns(1)
            service.delete_pool("drained")
            if not make_anew(service, "taken", size=2, db="Other-Data"):
                return False
            made_at = time.monotonic()
            wait_until(
                "the time to drain is over", lambda: witness.errors and is_drain_over(made_at)
            )
            load.await_turns(2)
            with connect(uri) as client:
                assert ask(client, WHO) == ("doadmin", "Other-Data")
        assert load.errors == []
        return True
    finally:
        for name in ("taken", "drained"):
            service.api.delete(f"{service.address}/pools/{name}")
            service.await_free(name)


def make_anew(service: Service, name: str, **shape: Any) -> bool:
    """Delete a pool and create it; whether its clients had not been given longer to leave."""
    before = time.monotonic()
    service.delete_pool(name)
    service.create_pool(name, **shape)
    return not is_drain_over(before)


# -- passwords ---------------------------------------------------------------------------------


class Newcomers:
    """Clients that log in all the time with the password that is right at that moment."""

    def __init__(self, uri: str, user: str, password: str) -> None:
        self._uri = uri
        self._user = user
        self._password = password
        self._changes = itertools.count()
        self._changed = next(self._changes)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.logins = 0
        self.errors: list[str] = []

    def __enter__(self) -> Newcomers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def change(self, change: Callable[[], str]) -> str:
        """A login that fails while the password changes is nobody's fault."""
        self._changed = next(self._changes)
        self._password = change()
        self._changed = next(self._changes)
        return self._password

    def _run(self) -> None:
        while not self._stopping.is_set():
            before = self._changed
            try:
                connect(log_in_as(self._uri, self._user, self._password)).close()
                self.logins += 1
            except psycopg.Error as error:
                during = before % 2 == 1 or self._changed != before
                if not during:
                    self.errors.append(str(error))


def test_new_passwords_under_load(service: Service) -> None:
    old = service.create_user("rotating")
    with (
        service.pool("own", user="rotating", size=3) as uri,
        service.pool("all-users", user="", size=3) as inbound,
        running_load(uri, 6) as load,
        running_load(log_in_as(inbound, "rotating", old), 3) as inbound_load,
        Newcomers(uri, "rotating", old) as newcomers,
    ):
        for _ in range(6):
            new = newcomers.change(lambda: service.reset_auth("rotating"))
            for place in (uri, inbound):
                with connect(log_in_as(place, "rotating", new)) as client:
                    assert ask(client, "SELECT current_user::text") == ("rotating",)
                assert "SASL authentication failed" in fails_with(
                    lambda: connect(log_in_as(place, "rotating", old))  # noqa: B023
                )
            logins = newcomers.logins
            wait_until("newcomers log in", lambda: newcomers.logins > logins + 1)  # noqa: B023
            load.await_turns(1)
            inbound_load.await_turns(1)
            old = new
    assert load.errors == inbound_load.errors == newcomers.errors == []


def test_a_reload_reads_no_large_bundle(service: Service, inside: Inside) -> None:
    """Trap: without a CA file of its own, PgBouncer parses the system's at every RELOAD, and
    all clients wait for it."""
    bundle = Path(inside.read_setting("client_tls_ca_file"))
    assert bundle.read_text().count("BEGIN CERTIFICATE") == 1


@pytest.fixture(autouse=True)
def nothing_is_left(service: Service, inside: Inside) -> Iterator[None]:
    """Each test leaves the whole budget to the next one, and no setting of the load behind."""
    yield
    for pool in service.read_cluster()["pools"]:
        service.api.delete(f"{service.address}/pools/{pool['name']}")
    wait_until("all pools are gone", lambda: not service.list_holders())
