"""How long changes took gets into the audit trail, and keeps no answer waiting."""

from __future__ import annotations

import threading
from typing import NoReturn

import pytest

from poolkeeper.domain.errors import Unavailable
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.store import events
from poolkeeper.store.database import Store, Transaction
from poolkeeper.usecases.applied_times import AppliedTimes
from tests.plane import wait_until


def add_events(store: Store, count: int) -> list[int]:
    with store.write() as tx:
        event = Event(EventKind.USER_CREATE, "me", "anna")
        return [events.add_event(tx, event) for _ in range(count)]


def read_times(store: Store) -> list[int | None]:
    """Oldest first."""
    with store.read() as tx:
        return [entry.applied_ms for entry in events.list_events(tx)][::-1]


def test_it_is_written_down(store: Store) -> None:
    first, second = add_events(store, 2)
    times = AppliedTimes()
    times.note(store, second, 0.0344)
    wait_until("the second has its time", lambda: read_times(store) == [None, 34])
    times.note(store, first, 12)
    wait_until("the first has its time", lambda: read_times(store) == [12_000, 34])


def test_nobody_waits_while_others_write(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = add_events(store, 20)
    times = AppliedTimes()
    written: list[int] = []
    put_applied = events.put_applied

    def count(tx: Transaction, taken: dict[int, int]) -> None:
        written.append(len(taken))
        put_applied(tx, taken)

    monkeypatch.setattr(events, "put_applied", count)
    with store.write():
        # Each would wait for this transaction to end, that is for ever.
        for id in ids:
            times.note(store, id, id / 1000)
        assert read_times(store) == [None] * 20
    wait_until("all have their times", lambda: read_times(store) == ids)
    assert len(written) <= 2


def test_a_store_that_fails_costs_that_time_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = add_events(store, 2)
    times = AppliedTimes()
    failed = threading.Event()

    def fail(*, durable: bool) -> NoReturn:
        failed.set()
        raise Unavailable("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", fail)
        times.note(store, first, 1)
        assert failed.wait(60)
    times.note(store, second, 2)
    wait_until("the second has its time", lambda: read_times(store)[1] == 2000)
    assert read_times(store) == [None, 2000]


def test_where_no_thread_can_be_had_the_next_one_has_it_along(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = add_events(store, 2)
    times = AppliedTimes()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        times.note(store, first, 1)
    times.note(store, second, 2)
    wait_until("both have their times", lambda: read_times(store) == [1000, 2000])
