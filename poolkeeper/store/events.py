"""The audit trail. It outlives the clusters it tells of."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    Row,
    Select,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
    update,
)

from poolkeeper.domain.events import EVERYTHING, Event, EventKind, EventSearch, RecordedEvent
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import clusters, events


def add_event(tx: Transaction, event: Event) -> int:
    """Record what happens in this transaction; the cluster's name is kept with it. Its id."""
    row = {
        "at": tx.now,
        "kind": event.kind.value,
        "actor": event.actor,
        "subject": event.subject,
        "cluster_id": event.cluster_id,
        "detail": dict(event.detail),
    }
    if event.cluster_id is not None:
        row["cluster_name"] = _name_cluster(event.cluster_id)
    inserted = tx.connection.execute(insert(events).values(row)).inserted_primary_key
    assert inserted is not None
    return int(inserted[0])


def put_applied(tx: Transaction, times: Mapping[int, int]) -> None:
    """Note by an entry's id how many milliseconds it took until what it tells of was in force."""
    query = update(events).where(events.c.id == bindparam("entry"))
    rows = [{"entry": id, "applied_ms": milliseconds} for id, milliseconds in times.items()]
    tx.connection.execute(query, rows)


def list_events(
    tx: Transaction,
    *,
    cluster_id: UUID | None = None,
    subject: str | None = None,
    search: EventSearch = EVERYTHING,
    limit: int = 100,
) -> list[RecordedEvent]:
    """The newest entries, newest first; those of one cluster, removed ones too, or all; those
    about one subject, such as a pool's name, or all; of these, what is looked for."""
    if "\0" in search.actor + search.text:
        # PostgreSQL takes none, so no entry has one.
        return []
    query = _narrow(_select_newest(cluster_id, search.before), search).limit(limit)
    if subject is not None:
        query = query.where(events.c.subject == subject)
    return [_to_event(row) for row in tx.connection.execute(query)]


def find_end(
    tx: Transaction, cluster_id: UUID | None, before: int | None, within: int
) -> int | None:
    """The oldest of so many entries, the newest there are, if there are more of them."""
    ids = _select_newest(cluster_id, before).with_only_columns(events.c.id)
    found = tx.connection.execute(ids.offset(within - 1).limit(2)).scalars().all()
    return int(found[0]) if len(found) == 2 else None


def list_event_clusters(tx: Transaction) -> dict[UUID, str]:
    """Every cluster that entries tell of, removed ones too, with the name it had last."""
    ids = _select_cluster_ids()
    past = (
        select(events.c.cluster_name)
        .where(events.c.cluster_id == ids.c.id)
        .order_by(events.c.id.desc())
        .limit(1)
    )
    query = select(ids.c.id, past.scalar_subquery().label("name")).where(ids.c.id.is_not(None))
    return {row.id: row.name or "" for row in tx.connection.execute(query)}


def _select_newest(cluster_id: UUID | None, before: int | None) -> Select[Any]:
    query = select(events).order_by(events.c.id.desc())
    if cluster_id is not None:
        query = query.where(events.c.cluster_id == cluster_id)
    return query if before is None else query.where(events.c.id < before)


def _select_cluster_ids() -> CTE:
    """Steps through the index from one cluster to the next, however many entries each has."""
    each = events.c.cluster_id
    lowest = select(each).where(each.is_not(None)).order_by(each).limit(1).scalar_subquery()
    found = select(lowest.label("id")).cte("ids", recursive=True)
    following = select(each).where(each > found.c.id).order_by(each).limit(1).scalar_subquery()
    return found.union_all(select(following).where(found.c.id.is_not(None)))


def _narrow(query: Select[Any], search: EventSearch) -> Select[Any]:
    entry = events.c
    if search.since is not None:
        query = query.where(entry.id >= search.since)
    if search.kinds:
        query = query.where(entry.kind.in_([kind.value for kind in search.kinds]))
    if search.actor:
        query = query.where(entry.actor.icontains(search.actor, autoescape=True))
    if search.text:
        # One text for each entry: it is much quicker to look through than several.
        words = (entry.subject, entry.actor, func.coalesce(entry.cluster_name, ""), entry.kind)
        text = functools.reduce(lambda left, right: left + "\n" + right, words)
        text = text + "\n" + cast(entry.detail, Text)
        query = query.where(text.icontains(search.text, autoescape=True))
    return query


def _name_cluster(cluster_id: UUID) -> Any:
    """Its name; once it has been removed, the name that its last entry has."""
    present = select(clusters.c.name).where(clusters.c.id == cluster_id)
    past = (
        select(events.c.cluster_name)
        .where(events.c.cluster_id == cluster_id)
        .order_by(events.c.id.desc())
        .limit(1)
    )
    return func.coalesce(present.scalar_subquery(), past.scalar_subquery())


def _to_event(row: Row[Any]) -> RecordedEvent:
    event = Event(EventKind(row.kind), row.actor, row.subject, row.cluster_id, row.detail)
    return RecordedEvent(row.id, row.at, event, row.cluster_name, row.applied_ms)
