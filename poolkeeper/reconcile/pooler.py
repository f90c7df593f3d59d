"""One cluster's PgBouncer, brought to what is wanted without cutting a client.

render → write only if a byte differs → RELOAD → read back → probe a login. The order of
the steps around a RELOAD is what keeps clients connected; docs/decisions/0004 has the
findings behind it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.entries import Entry, EntryPlan, plan_entries
from poolkeeper.domain.errors import ConsoleUnreachable, ProcessFailed, ReloadRefused
from poolkeeper.domain.pools import PoolMode
from poolkeeper.domain.status import ServerProcess
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.console import Console, ServedEntry
from poolkeeper.engine.pgbouncer.log import read_pooler_log, rotate_pooler_log
from poolkeeper.engine.pgbouncer.process import find_pooler, recover_pooler, start_pooler
from poolkeeper.engine.processes import wait_gone
from poolkeeper.reconcile.backends import Backends
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.pooler_files import PoolerFiles
from poolkeeper.reconcile.proofs import Proofs

_START_TIMEOUT = 5.0
_LOGIN_TIMEOUT = 1.0
_CALM_TIMEOUT = 0.15
_POLL = 0.01
_FILES_BESIDE_CLIENTS = 500

Served = Mapping[str, ServedEntry]


@dataclass(frozen=True)
class Outcome:
    """What a pass found at its end: the entries as served, and what failed, by pool name."""

    plan: EntryPlan
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
        self._console: Console | None = None
        # Another control plane may have been killed between writing the files and RELOAD.
        self._unread = True
        self._reconnected: dict[str, int] = {}

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
            self._unread = False
        else:
            self._change(desired, entries, served)
        served_now = self._read_back(desired, entries)
        due = [e for e in entries if e.name in changed and e.name not in refused]
        failures = dict(refused) | self._proofs.demand(desired, due, served or {})
        return Outcome(plan, served_now, failures)

    def open_console(self, desired: Desired) -> Console:
        """The console, which this pooler goes on to use and closes. Raises ConsoleUnreachable."""
        return self._connect(desired)

    def shrink(self, desired: Desired, served: Served) -> set[str]:
        """Pools with more backends than their size; a saturated one is made to shrink.

        A RELOAD only closes idle backends, and a saturated pool has none. RECONNECT closes
        each as it is let go; it is sent once per change, and only while no backend of the
        pool is logging in, since it would fail that login and with it waiting clients.
        Raises ConsoleUnreachable.
        """
        over = {name for name, entry in served.items() if entry.backends > entry.size}
        generations = {pool.name: pool.generation for pool in desired.pools}
        console = self._connect(desired)
        for name in over:
            generation = generations.get(name, 0)
            if self._reconnected.get(name) != generation and console.count_logins(name)[0] == 0:
                console.reconnect(name)
                self._reconnected[name] = generation
        return over

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
        paused = {name for name, entry in served.items() if entry.paused}
        try:
            paused |= self._settle_logins(desired, entries, served)
            self._install(desired, entries)
        finally:
            for name in paused & names:
                self._connect(desired).resume(name)
        # A query whose client was cut runs on in PostgreSQL; the budget is not free till then.
        self._backends.terminate(desired, orphans)

    def _list_leaving(self, desired: Desired, served: Served, staying: set[str]) -> list[int]:
        return [
            pid
            for name, entry in served.items()
            if name not in staying and entry.backends
            for pid in self._connect(desired).list_backend_pids(name)
        ]

    def _settle_logins(
        self, desired: Desired, entries: Sequence[Entry], served: Served
    ) -> set[str]:
        """Make sure that no backend is logging in while its pool gives up all its backends.

        A changed database, and RECONNECT, fail a login in flight and, with it, waiting
        clients. So the pool is first kept from opening more, and is paused if it has none at
        all and its database changes. Returns the paused ones.
        """
        moving = {e.name for e in entries if e.name in served and served[e.name].db != e.db}
        loosened = {e.name for e in entries if _gives_up_sessions(e, served.get(e.name))} - moving
        if not moving | loosened:
            return set()
        names = moving | loosened
        self._install(
            desired, [_freeze(e, served[e.name]) if e.name in names else e for e in entries]
        )
        console = self._connect(desired)
        for name in names:
            _await_no_login(console, name)
        for name in loosened:
            console.reconnect(name)
        idle = {name for name in moving if served[name].backends == 0}
        for name in idle:
            console.pause(name)
        return idle

    def _install(self, desired: Desired, entries: Sequence[Entry]) -> None:
        """Write the files, and have PgBouncer read them unless it surely has."""
        before = self._files.read()
        if self._files.write(desired, entries):
            self._unread = True
        if self._unread:
            self._reload(desired, before)
            self._unread = False

    def _reload(self, desired: Desired, before: Mapping[str, str]) -> None:
        try:
            self._connect(desired).reload()
        except ReloadRefused as error:
            why = read_pooler_log(self._paths)
            self._files.put_back(before)
            with contextlib.suppress(ReloadRefused):
                self._connect(desired).reload()
            raise ReloadRefused(f"{error}: {why}") from error

    def _read_back(self, desired: Desired, entries: Sequence[Entry]) -> Served:
        """What is served now; raises ReloadRefused unless it is what was written."""
        served = self._connect(desired).list_entries()
        wanted = {entry.name: (entry.db, entry.mode, entry.size) for entry in entries}
        found = {name: (e.db, e.mode, e.max_connections) for name, e in served.items()}
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
                return
            except ConsoleUnreachable as error:
                if wait_gone(started, _POLL) or time.monotonic() > deadline:
                    log = read_pooler_log(self._paths)
                    raise ProcessFailed(f"PgBouncer does not start: {log or error}") from error

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


def _freeze(entry: Entry, served: ServedEntry) -> Entry:
    """The entry as it is served, with as many backends as it has, so that none is added."""
    mode = PoolMode(served.mode) if served.mode else entry.mode
    size = max(1, min(served.backends, served.size))
    return replace(entry, db=served.db, mode=mode, size=size)


def _await_no_login(console: Console, name: str) -> None:
    """Wait until no backend of a frozen pool logs in, nor is about to.

    One may still begin for a client that waits, if its user has none: an idle backend of
    another user is closed for it. Where all are busy there is none to close, and clients may
    wait for ever; so that nobody waits is hoped for, not insisted on.
    """
    start = time.monotonic()
    passed = 0.0
    while passed < _LOGIN_TIMEOUT:
        logins, waiting = console.count_logins(name)
        if logins == 0 and (waiting == 0 or passed > _CALM_TIMEOUT):
            return
        time.sleep(_POLL / 5)
        passed = time.monotonic() - start
