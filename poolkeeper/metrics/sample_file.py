"""``samples.db``: blocks of points in SQLite. Losing it loses charts and nothing else.

One row for each subject, tier and block. A damaged file is moved aside and begun anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from poolkeeper.domain.samples import Subject
from poolkeeper.metrics.tiers import TIERS

_VERSION = 1
_SCHEMA = f"""
CREATE TABLE subjects (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    cluster TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (kind, cluster, name)
);
CREATE TABLE blocks (
    subject INTEGER NOT NULL,
    step INTEGER NOT NULL,
    start INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (subject, step, start)
);
CREATE INDEX blocks_by_age ON blocks (step, start);
PRAGMA user_version = {_VERSION};
"""
_FIND = "SELECT id FROM subjects WHERE kind = ? AND cluster = ? AND name = ?"
_ADD = "INSERT OR IGNORE INTO subjects (kind, cluster, name) VALUES (?, ?, ?)"
_PUT = "INSERT OR REPLACE INTO blocks (subject, step, start, data) VALUES (?, ?, ?, ?)"
_READ = """
SELECT start, data FROM blocks
 WHERE subject = ? AND step = ? AND start >= ? AND start < ? ORDER BY start
"""
_PRUNE = "DELETE FROM blocks WHERE step = ? AND (start < ? OR start > ?)"
_FORGET = """
DELETE FROM subjects
 WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.subject = subjects.id)
"""
_BUSY_TIMEOUT = 2.0
_DAY = 86400
_LOST = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_log = structlog.get_logger("poolkeeper.metrics")


@dataclass(frozen=True)
class StoredBlock:
    """A row: which subject's, seconds of a point, where it begins, and its packed points."""

    subject: Subject
    step: int
    start: int
    data: bytes


class SampleFile:
    """Opened when it is needed, and again after it failed; from any thread.

    Everything raises sqlite3.Error or OSError when the file cannot be used now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._ids: dict[Subject, int] = {}

    def write(self, blocks: Iterable[StoredBlock]) -> None:
        """Keep these blocks, all or none, in place of what was kept of them before."""
        ids: dict[Subject, int] = {}
        with self._using() as connection:
            with _transaction(connection):
                rows = []
                for block in blocks:
                    known = self._ids.get(block.subject) or ids.get(block.subject)
                    if known is None:
                        known = ids[block.subject] = _add_subject(connection, block.subject)
                    rows.append((known, block.step, block.start, block.data))
                connection.executemany(_PUT, rows)
            # Still under the lock: in a file begun anew these numbers are other subjects'.
            self._ids |= ids

    def read(self, subject: Subject, step: int, start: int, stop: int) -> list[tuple[int, bytes]]:
        """The blocks of a subject that begin in ``[start, stop)``, and where each begins."""
        with self._using() as connection:
            found = connection.execute(_FIND, _key(subject)).fetchone()
            if found is None:
                return []
            return connection.execute(_READ, (found[0], step, start, stop)).fetchall()

    def prune(self, now: int) -> None:
        """Forget what is older than its tier keeps, what is of tomorrow and later, and who has
        nothing left."""
        with self._using() as connection, _transaction(connection):
            for tier in TIERS:
                oldest = tier.block_start(now - tier.keep)
                connection.execute(_PRUNE, (tier.step, oldest, now + _DAY))
            self._ids.clear()
            connection.execute(_FORGET)

    def close(self) -> None:
        with self._lock:
            self._drop()

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _open(self._path)
                yield self._connection
            except sqlite3.DatabaseError as error:
                self._drop()
                if _is_lost(error):
                    self._move_aside(error)
                raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._ids.clear()
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _move_aside(self, error: sqlite3.DatabaseError) -> None:
        damaged = self._path.with_name(self._path.name + ".damaged")
        self._path.replace(damaged)
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        _log.warning("samples_damaged", reason=str(error), moved_to=str(damaged))


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        path.touch(mode=0o600)
    connection = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -1024")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        elif version != _VERSION:
            raise _UnknownVersion(f"its version is {version}, {_VERSION} is what is read here")
    except BaseException:
        connection.close()
        raise
    return connection


class _UnknownVersion(sqlite3.DatabaseError):
    """The file is a later version's."""


def _is_lost(error: sqlite3.DatabaseError) -> bool:
    if isinstance(error, _UnknownVersion):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _LOST


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _add_subject(connection: sqlite3.Connection, subject: Subject) -> int:
    connection.execute(_ADD, _key(subject))
    return int(connection.execute(_FIND, _key(subject)).fetchone()[0])


def _key(subject: Subject) -> tuple[str, str, str]:
    cluster = str(subject.cluster_id) if subject.cluster_id else ""
    return subject.kind.value, cluster, subject.name
