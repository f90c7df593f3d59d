"""Looking for entries of the audit trail, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from poolkeeper.domain.events import EventSearch, RecordedEvent
from poolkeeper.store import events
from poolkeeper.usecases.context import Context

# So many are looked through well within the time that a page may take.
MOST_SEARCHED = 10_000


@dataclass(frozen=True)
class Found:
    """Entries, newest first. ``older``: what ``before`` is for those that follow; None if none do.

    ``has_more``: more were found than are here. If not, but there are older ones, only the
    newest ``MOST_SEARCHED`` were looked at.
    """

    entries: Sequence[RecordedEvent]
    older: int | None
    has_more: bool


def search_events(
    context: Context, search: EventSearch, *, cluster_id: UUID | None = None, limit: int = 50
) -> Found:
    """So many of what is looked for, among a bounded number of entries."""
    end = None
    with context.store.read() as tx:
        if search.looks_through:
            end = events.find_end(tx, cluster_id, search.before, MOST_SEARCHED)
        bounded = replace(search, since=end)
        found = events.list_events(tx, cluster_id=cluster_id, search=bounded, limit=limit + 1)
    if len(found) > limit:
        return Found(found[:limit], found[limit - 1].id, has_more=True)
    return Found(found, end, has_more=False)


def list_event_clusters(context: Context) -> dict[UUID, str]:
    """Every cluster that there is an entry of, removed ones too; their names."""
    with context.store.read() as tx:
        return events.list_event_clusters(tx)
