"""One cluster's PgBouncer, brought to what is wanted without cutting a client.

render → write only if a byte differs → RELOAD → read back → probe a login. The order of
the steps around a RELOAD (pooler_reload.py) is what keeps clients connected.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.entries import Entry, EntryPlan, plan_entries
from poolkeeper.domain.errors import ConsoleUnreachable, ProcessFailed, ReloadRefused
from poolkeeper.domain.pools import PoolMode
from poolkeeper.domain.status import ServerProcess
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.console import Console
from poolkeeper.engine.pgbouncer.log import read_pooler_log, rotate_pooler_log
from poolkeeper.engine.pgbouncer.process import (
    demand_known,
    find_pooler,
    recover_pooler,
    start_pooler,
)
from poolkeeper.engine.pgbouncer.shown import ServedEntry
from poolkeeper.engine.processes import wait_gone
from poolkeeper.reconcile.backends import Backends
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.pooler_files import PoolerFiles
from poolkeeper.reconcile.pooler_reload import PoolerReload
from poolkeeper.reconcile.proofs import Proofs

_START_TIMEOUT = 5.0
_POLL = 0.01
_FILES_BESIDE_CLIENTS = 500

Served = Mapping[str, ServedEntry]


@dataclass(frozen=True)
class Outcome:
    """What a pass found at its end: the entries as written and as served, and what failed, by
    pool name."""

    plan: EntryPlan
    entries: Sequence[Entry]
    served: Served
    failures: Mapping[str, str]


class Pooler:
    """Holds the console connection and what a login has shown; all else is observed."""

    def __init__(self, host: Host, paths: ClusterPaths, backends: Backends) -> None:
        self._host = host
        self._paths = paths
        self._backends = backends
        self._files = PoolerFiles(host, paths)
        self._proofs = Proofs(paths)
        self._reload = PoolerReload(host, self._files, paths)
        self._console: Console | None = None
        self._reconnected: dict[str, int] = {}
        self._entries: Sequence[Entry] = ()

    def is_running(self) -> bool:
        """Whether the process lives; one that lost its pid file is taken over with its clients."""
        account = self._host.processes.account
        return (find_pooler(self._paths) or recover_pooler(self._paths, account)) is not None

    def close(self) -> None:
        """Let go of the console; the process goes on."""
        if self._console is not None:
            self._console.close()
        self._console = None

    def check(self, desired: Desired) -> None:
        """Raises ConsoleUnreachable unless the process answers."""
        self._connect(desired).read_version()

    def describe(self, desired: Desired) -> ServerProcess | None:
        """The process as ``/v1`` shows it. Raises ConsoleUnreachable."""
        facts = find_pooler(self._paths)
        if facts is None:
            return None
        version = ".".join(map(str, self._connect(desired).read_version()))
        port = desired.cluster.ports.pool
        return ServerProcess("pgbouncer", 1, facts.pid, version, port, facts.started_at)

    def list_pending_restarts(self, desired: Desired) -> list[str]:
        """Settings that PgBouncer takes up only when it starts. Raises ConsoleUnreachable."""
        running = self._connect(desired).read_settings()
        wanted = {
            "listen_addr": self._host.listen,
            "listen_port": str(desired.cluster.ports.pool),
        }
        return [name for name, value in wanted.items() if running.get(name) != value]

    def rotate_log(self, desired: Desired) -> None:
        """Begin a new log if this one is long. Raises ConsoleUnreachable, ReloadRefused."""
        if rotate_pooler_log(self._paths):
            self._connect(desired).reload()

    def apply(self, desired: Desired, changed: Collection[str], now: datetime) -> Outcome:
        """One pass. ``changed`` pools have to be shown to work; one that PostgreSQL would not
        serve from its new database stays on the old one. Raises EngineError, OSError."""
        served = self._observe_served(desired)
        clients = None if served is None else {name: e.clients for name, e in served.items()}
        plan = plan_entries(desired.pools, clients, now, self._host.drain)
        refused = self._refuse_moves(desired, plan.entries, served or {})
        entries = [
            replace(entry, db=served[entry.name].db) if served and entry.name in refused else entry
            for entry in plan.entries
        ]
        if served is None:
            self._files.write(desired, entries)
            self._start(desired)
            self._reload.note_start()
        else:
            self._change(desired, entries, served)
        served_now = self._read_back(desired, entries)
        self._entries = entries
        due = [e for e in entries if e.name in changed and e.name not in refused]
        failures = dict(refused) | self._proofs.demand(desired, due, served or {})
        return Outcome(plan, entries, served_now, failures)

    def open_console(self, desired: Desired) -> Console:
        """The console, which this pooler goes on to use and closes. Raises ConsoleUnreachable."""
        return self._connect(desired)

    def cut_users(self, desired: Desired, names: Collection[str]) -> None:
        """Cut clients that logged in as these users, whose secrets are nobody's by now: they
        would be whoever gets such a name next. Raises ConsoleUnreachable."""
        if names:
            console = self._connect(desired)
            for id in console.list_client_ids(names):
                console.kill_client(id)

    def shrink(self, desired: Desired, outcome: Outcome) -> set[str]:
        """Pools with more backends than their size; a saturated one is made to shrink.

        A RELOAD only closes idle backends, and a saturated pool has none. RECONNECT closes
        each as it is let go; it is sent once per change. Raises EngineError, OSError.
        """
        served = outcome.served
        over = {name for name, entry in served.items() if entry.backends > entry.size}
        generations = {pool.name: pool.generation for pool in desired.pools}
        due = {name for name in over if self._reconnected.get(name) != generations.get(name, 0)}
        if due:
            console, entries = self._connect(desired), outcome.entries
            self._reload.exchange(console, desired, entries, served, moving=(), reconnecting=due)
            # Of no others: the names of pools that come and go would pile up.
            told = self._reconnected | {name: generations.get(name, 0) for name in due}
            self._reconnected = {name: each for name, each in told.items() if name in over}
        return over

    @contextlib.contextmanager
    def frozen(self, desired: Desired) -> Iterator[None]:
        """Inside the block, which follows an ``apply``, no pool opens a backend, and none is
        logging in when it begins. Raises EngineError, OSError."""
        console = self._connect(desired)
        with self._reload.frozen(console, desired, self._entries, console.list_entries()):
            yield

    def _refuse_moves(
        self, desired: Desired, entries: Sequence[Entry], served: Served
    ) -> Mapping[str, str]:
        """Pools that change their database for one that their user may not connect to.

        Asked before: once moved, every transaction of those who are connected would fail.
        """
        moving = [e for e in entries if e.name in served and served[e.name].db != e.db]
        return self._backends.refuse_entries(desired, moving)

    def _observe_served(self, desired: Desired) -> Served | None:
        if not self.is_running():
            self.close()
            return None
        return self._connect(desired).list_entries()

    def _change(self, desired: Desired, entries: Sequence[Entry], served: Served) -> None:
        names = {entry.name for entry in entries}
        orphans = self._list_leaving(desired, served, names)
        moving = {e.name for e in entries if e.name in served and served[e.name].db != e.db}
        loosened = {e.name for e in entries if _gives_up_sessions(e, served.get(e.name))} - moving
        console = self._connect(desired)
        try:
            if moving or loosened:
                self._reload.exchange(
                    console, desired, entries, served, moving=moving, reconnecting=loosened
                )
            else:
                self._reload.install(console, desired, entries)
        finally:
            # By a control plane that ended in the middle of a planned restart.
            for name in names & served.keys():
                if served[name].paused:
                    console.resume(name)
        # A query whose client was cut runs on in PostgreSQL; the budget is not free till then.
        self._backends.terminate(desired, orphans)

    def _list_leaving(self, desired: Desired, served: Served, staying: set[str]) -> list[int]:
        return [
            pid
            for name, entry in served.items()
            if name not in staying and entry.backends
            for pid in self._connect(desired).list_backend_pids(name)
        ]

    def _read_back(self, desired: Desired, entries: Sequence[Entry]) -> Served:
        """What is served now; raises ReloadRefused unless it is what was written."""
        served = self._connect(desired).list_entries()
        wanted = {e.name: (e.db, e.mode, e.size, e.size) for e in entries}
        found = {name: (e.db, e.mode, e.size, e.max_connections) for name, e in served.items()}
        differing = sorted(
            name for name in wanted.keys() | found if wanted.get(name) != found.get(name)
        )
        if differing:
            raise ReloadRefused(
                f"PgBouncer does not serve what was written ({', '.join(differing)}):"
                f" {read_pooler_log(self._paths)}"
            )
        return served

    def _start(self, desired: Desired) -> None:
        # Backends of the dead process may still run; with the new one's they could be too many.
        self._backends.terminate_all(desired)
        binary = self._host.find_pgbouncer()
        nofile = self._host.max_client_conn + desired.cluster.budget + _FILES_BESIDE_CLIENTS
        started = start_pooler(self._paths, binary, self._host.processes, nofile=nofile)
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            try:
                self._connect(desired)
                break
            except ConsoleUnreachable as error:
                if wait_gone(started, _POLL) or time.monotonic() > deadline:
                    log = read_pooler_log(self._paths)
                    raise ProcessFailed(f"PgBouncer does not start: {log or error}") from error
        demand_known(self._paths, started, binary)

    def _connect(self, desired: Desired) -> Console:
        if self._console is None:
            self._console = Console.connect(
                self._paths, desired.cluster.ports.pool, desired.console_password
            )
        return self._console


def _gives_up_sessions(entry: Entry, served: ServedEntry | None) -> bool:
    """Whether its backends hold what sessions left in them, and will not be cleaned any more."""
    if served is None or served.backends == 0:
        return False
    return served.mode == PoolMode.SESSION and entry.mode is not PoolMode.SESSION
