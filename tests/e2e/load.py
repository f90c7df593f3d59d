"""Clients that work through a pool, each in a thread of its own, and what went wrong for them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import psycopg

from tests.plane import connect, wait_until

# Long enough that backends are scarce, short enough for many turns.
WORK = "SELECT pg_sleep(0.005)"


class Load:
    """Clients in a closed loop. ``turns``: how many statements each one has had answered."""

    def __init__(
        self, uri: str, clients: int, statement: str, *, reconnect: bool, **options: Any
    ) -> None:
        self.uri = uri
        self._options = {"connect_timeout": 30, **options}
        self.statement = statement
        self.turns = [0] * clients
        self.errors: list[str] = []
        self._reconnect = reconnect
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"load-{number}", daemon=True)
            for number in range(clients)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def await_turns(self, more: int = 2) -> None:
        """Wait until each client has had so many more turns; a client that failed is an error."""
        before = list(self.turns)
        wait_until(
            f"every client of {self.uri.rpartition('/')[2]} has {more} more turns;"
            f" {self.turns} after {before}, {self.errors[:3]}",
            lambda: (
                self.errors
                or all(now >= then + more for now, then in zip(self.turns, before, strict=True))
            ),
        )
        assert not self.errors, self.errors[:3]

    def _work(self, number: int) -> None:
        while not self._stopping.is_set():
            try:
                self._stay(number)
            except psycopg.Error as error:
                self.errors.append(f"client {number}: {type(error).__name__}: {error}")
                return

    def _stay(self, number: int) -> None:
        with connect(self.uri, **self._options) as connection:
            while not self._stopping.is_set():
                connection.execute(self.statement)
                self.turns[number] += 1
                if self._reconnect:
                    return


@contextlib.contextmanager
def running_load(
    uri: str, clients: int, statement: str = WORK, *, reconnect: bool = False, **options: Any
) -> Iterator[Load]:
    """Clients that are all at work inside the block; leaves their errors to the test.

    ``options`` are psycopg's, for each connection.
    """
    load = Load(uri, clients, statement, reconnect=reconnect, **options)
    load.start()
    try:
        load.await_turns(1)
        yield load
    finally:
        load.stop()
