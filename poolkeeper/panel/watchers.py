"""Who listens to the live stream, and what waits to be sent there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

# A cluster, or None for the list of all; the pools whose numbers are wanted, or None for all.
Topic = tuple[UUID | None, frozenset[str] | None]

_MOST_PENDING = 30


@dataclass(eq=False)
class Watcher:
    """One open page. ``cluster`` None: the list of all. ``pools``: those whose numbers it
    wants, None for all. ``after``: the id of the newest change that it knows of.
    ``needs_all``: what it was told last is not what there was before. ``fell_behind``:
    something was not told, which may have been a change."""

    cluster: UUID | None
    session: str
    pools: frozenset[str] | None = None
    after: int = 0
    needs_all: bool = True
    fell_behind: bool = False
    pending: list[bytes] = field(default_factory=list)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    @property
    def topic(self) -> Topic:
        return self.cluster, self.pools

    def concerns(self, clusters: Iterable[UUID]) -> bool:
        """Whether a change of these is to be told here."""
        return self.cluster is None or self.cluster in clusters

    def send(self, frame: bytes) -> None:
        # A browser that is this far behind gets all that is new once it reads again.
        if len(self.pending) < _MOST_PENDING:
            self.pending.append(frame)
        else:
            self.needs_all = self.fell_behind = True
        self.woken.set()

    def end(self, frame: bytes = b"") -> None:
        self.pending.append(frame)
        self.ended = True
        self.woken.set()

    def own(self) -> set[UUID]:
        """The clusters that its page shows, where those are known."""
        return {self.cluster} if self.cluster else set()
