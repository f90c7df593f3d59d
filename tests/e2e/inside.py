"""A look behind the API: PostgreSQL as its superuser, PgBouncer's console, the files."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import psycopg

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import ConsoleUnreachable
from poolkeeper.domain.names import SUPERUSER
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.console import Console
from poolkeeper.store import clusters
from poolkeeper.store.database import Store
from poolkeeper.store.sealing import load_sealer
from tests.plane import Plane, wait_until

# What a pooler opened: it comes over the Unix socket, and so does the control plane itself.
BACKENDS = """
SELECT datname, pid, backend_start, application_name
  FROM pg_catalog.pg_stat_activity
 WHERE backend_type = 'client backend' AND client_addr IS NULL AND usename <> 'poolkeeper'
"""

_ENTRY = re.compile(r"^(?P<name>\S+) = host=.* max_db_connections=(?P<cap>\d+)$", re.MULTILINE)


class Inside:
    """One cluster from within."""

    def __init__(self, plane: Plane, cluster_id: str) -> None:
        self._desired = _read_desired(plane, UUID(cluster_id))
        cluster = self._desired.cluster
        self.paths = ClusterPaths.of(plane.home, cluster.id, cluster.ports)
        self.ports = cluster.ports

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A superuser's connection; the caller closes it.

        It is one for replication: those take none of ``max_connections``, where even a
        superuser's would be one less for the pools. They know simple queries only.
        """
        return psycopg.connect(
            host=str(self.paths.run),
            port=self.ports.direct,
            user=SUPERUSER,
            password=self._desired.superuser_password,
            dbname="postgres",
            replication="database",
            cursor_factory=psycopg.ClientCursor,
            autocommit=True,
        )

    @contextlib.contextmanager
    def console(self) -> Iterator[Console]:
        """PgBouncer's admin console, once it answers."""
        with contextlib.closing(wait_until("a console answers", self._find_console)) as console:
            yield console

    def _find_console(self) -> Console | None:
        password = self._desired.console_password
        try:
            return Console.connect(self.paths, self.ports.pool, password)
        except ConsoleUnreachable:
            return None  # it has seconds to answer, which are few on a busy machine

    def read_caps(self) -> dict[str, int]:
        """The caps of all entries in the rendered file, by pool."""
        text = (self.paths.pooler / "pgbouncer-1.ini").read_text()
        return {match["name"]: int(match["cap"]) for match in _ENTRY.finditer(text)}

    def read_setting(self, name: str) -> str:
        """A value of the rendered file's main section."""
        text = (self.paths.pooler / "pgbouncer-1.ini").read_text()
        found = re.search(rf"^{name} = (.*)$", text, re.MULTILINE)
        assert found is not None, name
        return found[1]

    def read_pid(self) -> int:
        """The pid of PostgreSQL's postmaster."""
        return int((self.paths.data / "postmaster.pid").read_text().split()[0])

    def read_pooler_pid(self) -> int:
        return int((self.paths.pooler_run(1) / "pgbouncer.pid").read_text())

    @property
    def pooler_log(self) -> Path:
        return self.paths.log / "pooler-1.log"


class Watch:
    """Looks at all of a cluster's pool backends, again and again, in a thread of its own.

    ``ceiling`` tells what, of the backends by database, exceeds what is allowed. It counts
    once it is seen in some looks in a row. A backend that PgBouncer has closed takes a moment
    to end, however long on a busy machine, and its successor may be there before: a look that
    finds one is passed over, unless it stays.
    """

    LOOKS = 4
    STAYS = 10.0

    def __init__(
        self, inside: Inside, ceiling: Callable[[Counter[str]], str] | None = None
    ) -> None:
        self._inside = inside
        self._connection = inside.connect()
        self._ceiling = ceiling
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.samples = 0
        self.most: Counter[str] = Counter()
        self.most_together = 0
        self.excesses: list[str] = []
        self.failure: BaseException | None = None

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._connection.close()
        if self.failure is not None:
            raise self.failure

    def reset(self) -> None:
        """Forget what was seen up to now."""
        self.most, self.most_together = Counter(), 0

    def count(self) -> int:
        """The backends of one look that began after the call."""
        seen = self.samples
        while self.samples < seen + 2 and self._thread.is_alive():
            self._stopping.wait(0.005)
        return self._latest

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._look()
                self._stopping.wait(0.004)
        except BaseException as error:
            self.failure = error

    def _look(self) -> None:
        rows = self._connection.execute(BACKENDS).fetchall()
        found = Counter(database for database, *_ in rows)
        self._latest = len(rows)
        self.most |= found
        self.most_together = max(self.most_together, len(rows))
        self.samples += 1
        excess = self._ceiling(found) if self._ceiling else ""
        if not excess:
            self._in_a_row, self._strangers = 0, {}
        elif not self._is_any_leaving({pid for _, pid, *_ in rows}):
            self._in_a_row += 1
            if self._in_a_row >= self.LOOKS:
                self.excesses.append(excess)

    def _is_any_leaving(self, pids: set[int]) -> bool:
        """Whether PgBouncer does not have one of them open, and that only since a moment ago."""
        try:
            with self._inside.console() as console:
                names = console.list_entries()
                known = {pid for name in names for pid in console.list_backend_pids(name)}
        except ConsoleUnreachable:
            return True
        now = time.monotonic()
        self._strangers = {pid: self._strangers.get(pid, now) for pid in pids - known}
        return any(now - since < self.STAYS for since in self._strangers.values())

    _latest = 0
    _in_a_row = 0
    _strangers: Mapping[int, float] = MappingProxyType({})


def _read_desired(plane: Plane, cluster_id: UUID) -> Desired:
    sealer = load_sealer(plane.home / "key")
    store = Store.open(None, plane.home, now=lambda: datetime.now(UTC), sealer=sealer)
    try:
        with store.read() as tx:
            desired = clusters.read_desired(tx, cluster_id)
    finally:
        store.close()
    assert desired is not None
    return desired
