"""Which states get a first cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest

from poolkeeper.control_plane import first_start, wiring
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.settings import load
from poolkeeper.store import events
from poolkeeper.store.database import Store
from poolkeeper.usecases.context import Context


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = load({"state_dir": str(tmp_path)}, {}, host_checks=False).settings
    with closing(wiring.open_store(settings)) as store:
        yield store


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Context]:
    """The contexts in which a first cluster was made."""
    made: list[Context] = []
    monkeypatch.setattr(first_start, "_create_missing", made.append)
    monkeypatch.setattr(first_start, "_describe", lambda _context: None)
    return made


def start(store: Store, folder: Path, *, empty: bool = False) -> None:
    context = cast(Context, SimpleNamespace(store=store))
    first_start.complete_first_start(context, folder / "starting", empty=empty)


def test_an_empty_state_gets_one_unless_told_otherwise(
    store: Store, made: list[Context], tmp_path: Path
) -> None:
    start(store, tmp_path, empty=True)
    assert len(made) == 0
    start(store, tmp_path)
    assert len(made) == 1


def test_whoever_has_deleted_all_gets_none(
    store: Store, made: list[Context], tmp_path: Path
) -> None:
    with store.write() as tx:
        events.add_event(tx, Event(EventKind.CLUSTER_CREATE, "local", "main", uuid4()))
    start(store, tmp_path)
    assert made == []


def test_a_start_that_was_killed_is_gone_on_with(
    store: Store, made: list[Context], tmp_path: Path
) -> None:
    (tmp_path / "starting").touch()
    with store.write() as tx:
        events.add_event(tx, Event(EventKind.CLUSTER_CREATE, "local", "main", uuid4()))
    start(store, tmp_path)
    assert len(made) == 1
