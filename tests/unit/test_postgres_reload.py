"""A reload of PostgreSQL counts once new connections see it, and not before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Desired, Ports
from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres import server
from poolkeeper.reconcile import postgres
from poolkeeper.reconcile.backends import Backends

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PATHS = ClusterPaths.of(Path("/none"), UUID(int=1), Ports(25060))


class Told:
    """A server that says these times, one after the other."""

    def __init__(self, *times: datetime) -> None:
        self.times: Iterator[datetime] = iter(times)
        self.last = times[0]

    def read_load_time(self, _: Desired) -> datetime:
        self.last = next(self.times, self.last)
        return self.last


def reload(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    monkeypatch.setattr(server, "reload", lambda _: True)
    monkeypatch.setattr(postgres, "_RELOAD_TIMEOUT", 0.1)
    postgres._reload(cast(Desired, None), PATHS, cast(Backends, told))


@pytest.mark.parametrize("later", [timedelta(seconds=1), timedelta(hours=-1)])
def test_it_is_done_at_another_time(monkeypatch: pytest.MonkeyPatch, later: timedelta) -> None:
    told = Told(NOW, NOW, NOW, NOW + later, NOW)
    reload(monkeypatch, told)
    assert told.last == NOW + later


def test_one_that_does_not_come_about_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProcessFailed, match="not read its files again"):
        reload(monkeypatch, Told(NOW))
