"""What was changed lately, for pages that were on their way meanwhile, or away."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

_MOST = 100


@dataclass(frozen=True)
class _Change:
    number: int
    clusters: frozenset[UUID]


class RecentChanges:
    """The changes of a while, numbered; numbers grow over restarts as well.

    ``last``: the newest number. What is read from the store after it was asked for has all
    that it counts, so a page bears it, and says it when it begins to listen.
    """

    def __init__(self) -> None:
        self.last = int(time.time() * 1000)
        self._known_since = self.last
        self._kept: deque[_Change] = deque()

    def begin(self) -> None:
        """From here on all changes are seen; of what was before nothing is known."""
        self.last += 1
        self._known_since = self.last
        self._kept.clear()

    def add(self, clusters: Iterable[UUID]) -> None:
        """A change of these clusters was seen."""
        self.last += 1
        self._kept.append(_Change(self.last, frozenset(clusters)))
        if len(self._kept) > _MOST:
            self._known_since = self._kept.popleft().number

    def list_missed(self, after: int) -> list[frozenset[UUID]] | None:
        """The clusters of each change after that number; None if that is not known."""
        if not self._known_since <= after <= self.last:
            return None
        return [change.clusters for change in self._kept if change.number > after]
