"""Who listens to the live stream, and what waits to be sent there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs
from uuid import UUID

# A cluster, or None for the list of all; the pools whose numbers are wanted, or None for all.
Topic = tuple[UUID | None, frozenset[str] | None]

_MOST_PENDING = 30
# More is for a page that shows all, and for who opens a browser of another kind.
_MOST_POOLS = 50
_MOST_TOPICS = 50


@dataclass(eq=False)
class Watcher:
    """One browser, with the pages that are open in it. ``topics``: what these show, each
    cluster once. ``after``: the id of the newest change that they know of. ``needs_all``: what
    it was told last is not what there was before. ``fell_behind``: something was not told,
    which may have been a change."""

    topics: frozenset[Topic]
    session: str
    after: int = 0
    needs_all: bool = True
    fell_behind: bool = False
    pending: list[bytes] = field(default_factory=list)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    @property
    def clusters(self) -> set[UUID]:
        """The clusters that its pages show, besides the list of all."""
        return {cluster for cluster, _ in self.topics if cluster is not None}

    def concerns(self, clusters: Iterable[UUID]) -> bool:
        """Whether a change of these is to be told here."""
        return any(each is None or each in clusters for each, _ in self.topics)

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


def parse_topics(query: str) -> frozenset[Topic]:
    """The topics of an address: of one page ``cluster=…&pool=…``, of several ``for=…`` with
    that for each. Raises ValueError."""
    pages = parse_qs(query, keep_blank_values=True).get("for", [query])[:_MOST_TOPICS]
    topics: dict[UUID | None, frozenset[str] | None] = {}
    for page in pages:
        cluster, pools = _parse_topic(page)
        before = topics.get(cluster, frozenset())
        topics[cluster] = None if before is None or pools is None else before | pools
    return frozenset(topics.items())


def _parse_topic(query: str) -> Topic:
    fields = parse_qs(query, keep_blank_values=True)
    cluster = fields.get("cluster", [""])[0]
    pools = fields.get("pool", [])[:_MOST_POOLS]
    return UUID(cluster) if cluster else None, frozenset(pools) if pools else None
