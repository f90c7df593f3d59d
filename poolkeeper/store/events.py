"""The audit trail. It outlives the clusters it tells of."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select

from poolkeeper.domain.events import Event, EventKind, RecordedEvent
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import clusters, events


def add_event(tx: Transaction, event: Event) -> None:
    """Record what happens in this transaction; the cluster's name is kept with it."""
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
    tx.connection.execute(insert(events).values(row))


def list_events(
    tx: Transaction, *, cluster_id: UUID | None = None, limit: int = 100
) -> list[RecordedEvent]:
    """The newest entries, newest first; those of one cluster, removed ones too, or all."""
    query = select(events).order_by(events.c.id.desc()).limit(limit)
    if cluster_id is not None:
        query = query.where(events.c.cluster_id == cluster_id)
    return [_to_event(row) for row in tx.connection.execute(query)]


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
    return RecordedEvent(row.id, row.at, event, row.cluster_name)
