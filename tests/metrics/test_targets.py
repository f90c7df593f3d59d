"""Which clusters are sampled, while the store has troubles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from poolkeeper.domain.errors import Unavailable
from poolkeeper.metrics import targets
from poolkeeper.metrics.targets import Targets
from poolkeeper.store.changes import Changes
from poolkeeper.store.database import Store


class Away:
    """A store that takes six seconds to say that it is away, and the clock of who waits."""

    def __init__(self) -> None:
        self.asked = 0
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    @contextmanager
    def read(self) -> Iterator[None]:
        self.asked += 1
        self.seconds += 6
        raise Unavailable("the store is away")
        yield


def test_a_store_that_is_slow_to_fail_is_not_asked_each_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = Away()
    monkeypatch.setattr(targets, "time", away)
    asked = Targets(cast(Store, away), Changes())
    for _ in range(6):
        assert asked.list() == []
        away.seconds += 1
    assert away.asked == 2
