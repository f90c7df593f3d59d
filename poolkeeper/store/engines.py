"""Connections to the store's database: how SQLite and PostgreSQL are made to behave alike.

Each store has a *reader*, whose transactions see one snapshot and cannot write, and a
*writer*, whose transactions come one after the other: over the threads of this process
because its pool has one connection, over processes by a lock taken first of all.
"""

from __future__ import annotations

import functools
import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from poolkeeper.domain.errors import PoolkeeperError

WAIT_SECONDS = 15
"""How long a transaction waits for its turn, or a read for a connection."""

FILE_NAME = "poolkeeper.db"

# 64 bits nobody else uses: "poolkeep".
_WRITE_LOCK = int.from_bytes(b"poolkeep")

_BEGIN_POSTGRES_WRITE = (
    f"SELECT set_config('lock_timeout', '{WAIT_SECONDS}s', true),"
    f" pg_advisory_xact_lock({_WRITE_LOCK})"
)

_POSTGRES_OPTIONS: dict[str, Any] = {
    "application_name": "poolkeeper",
    "connect_timeout": 5,
    "tcp_user_timeout": WAIT_SECONDS * 1000,
}

_POSTGRES_DRIVERS = {"postgres", "postgresql", "postgresql+psycopg"}
_SQLITE_DRIVERS = {"sqlite", "sqlite+pysqlite"}


@dataclass(frozen=True)
class Engines:
    """A store's two ways in; ``place`` names it in messages and holds no password."""

    reader: Engine
    writer: Engine
    place: str

    @property
    def migrator(self) -> Engine:
        """The writer, with SQLite's foreign keys off.

        There, a table is altered by making it anew and dropping the old one; with foreign
        keys on, the drop would take along whatever refers to its rows.
        """
        return self.writer.execution_options(migrates=True)

    def dispose(self) -> None:
        """Close the connections; one that is in use closes when it is given back."""
        self.reader.dispose()
        self.writer.dispose()


def open_engines(url: str | None, state_dir: Path) -> Engines:
    """Engines for a store. Nothing connects yet; a SQLite file is created, readable by us only.

    Raises PoolkeeperError for a URL that cannot be, OSError if the file cannot be made.
    """
    if url is None:
        return _open_sqlite(state_dir / FILE_NAME)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise PoolkeeperError(
            "the store's URL cannot be read: write postgresql://user:password@host/database"
        ) from error
    if parsed.drivername in _POSTGRES_DRIVERS:
        return _open_postgres(parsed.set(drivername="postgresql+psycopg"))
    if parsed.drivername in _SQLITE_DRIVERS and parsed.database not in (None, "", ":memory:"):
        return _open_sqlite(Path(str(parsed.database)))
    raise PoolkeeperError(
        f"the store cannot be {_show(parsed)!r}: it is postgresql://… or a file,"
        " sqlite:////path/to/file"
    )


_serialize = functools.partial(json.dumps, separators=(",", ":"), default=str)


def _open_sqlite(path: Path) -> Engines:
    _create_file(path)
    # isolation_level None: pysqlite leaves BEGIN to the listeners below.
    create = functools.partial(
        create_engine,
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_timeout=WAIT_SECONDS,
        json_serializer=_serialize,
        hide_parameters=True,  # password verifiers and token hashes are no one's who reads a log
        connect_args={
            "timeout": WAIT_SECONDS,
            "check_same_thread": False,
            "isolation_level": None,
        },
    )
    reader = create(pool_size=4, max_overflow=-1)
    writer = create(pool_size=1, max_overflow=0)
    event.listen(reader, "connect", _prepare_sqlite_reader)
    event.listen(reader, "begin", _begin_sqlite_read)
    event.listen(writer, "connect", _prepare_sqlite_writer)
    event.listen(writer, "begin", _begin_sqlite_write)
    return Engines(reader, writer, str(path))


def _create_file(path: Path) -> None:
    """Make the file before SQLite does, which would let others read it.

    Never open one that exists: closing it would drop SQLite's locks in this process.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass


def _prepare_sqlite_reader(connection: sqlite3.Connection, record: object) -> None:
    connection.execute("PRAGMA query_only=ON")


def _prepare_sqlite_writer(connection: sqlite3.Connection, record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite_read(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_sqlite_write(connection: Connection) -> None:
    migrates = connection.get_execution_options().get("migrates", False)
    connection.exec_driver_sql(f"PRAGMA foreign_keys={'OFF' if migrates else 'ON'}")
    durable = connection.get_execution_options().get("durable", True)
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _open_postgres(url: URL) -> Engines:
    options = {name: value for name, value in _POSTGRES_OPTIONS.items() if name not in url.query}
    create = functools.partial(
        create_engine,
        url,
        pool_timeout=WAIT_SECONDS,
        pool_pre_ping=True,
        use_native_hstore=False,  # else each connection looks for the type
        json_serializer=_serialize,
        hide_parameters=True,  # password verifiers and token hashes are no one's who reads a log
        connect_args=options,
    )
    reader = create(pool_size=4, max_overflow=12, isolation_level="REPEATABLE READ")
    # Not REPEATABLE READ: its snapshot would be older than the lock.
    writer = create(pool_size=1, max_overflow=0, isolation_level="READ COMMITTED")
    event.listen(reader, "connect", _prepare_postgres_reader)
    event.listen(writer, "begin", _begin_postgres_write)
    return Engines(reader, writer, _show(url.set(drivername="postgresql")))


def _show(url: URL) -> str:
    """A URL as messages may have it: libpq takes passwords among the parameters, too."""
    return url.difference_update_query(("password", "sslpassword")).render_as_string()


def _prepare_postgres_reader(connection: Any, record: object) -> None:
    connection.read_only = True


def _begin_postgres_write(connection: Connection) -> None:
    connection.exec_driver_sql(_BEGIN_POSTGRES_WRITE)
    if not connection.get_execution_options().get("durable", True):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
