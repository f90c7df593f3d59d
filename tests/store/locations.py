"""Where the stores under test are, and the clock they go by."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import uuid4

import psycopg

from poolkeeper.store.database import Store
from poolkeeper.store.sealing import Sealer

KEY = bytes(range(32))
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@dataclass
class Clock:
    """Each look at it is a second later than the one before."""

    ticks: Iterator[int] = field(default_factory=count)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> datetime:
        with self.lock:
            return START + timedelta(seconds=next(self.ticks))


@dataclass(frozen=True)
class Location:
    """Where a store is: what ``Store.open`` takes."""

    url: str | None
    state_dir: Path

    def open(self, *, key: bytes = KEY, now: Callable[[], datetime] | None = None) -> Store:
        return Store.open(self.url, self.state_dir, now=now or Clock(), sealer=Sealer(key))


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL that listens on a Unix socket in a directory of its own."""

    directory: Path

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create_database(self) -> str:
        name = f"s{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return name
