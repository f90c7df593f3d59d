"""The cheapest look at everything that a page may show of clusters."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ScalarSelect, select

from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import cluster_states, clusters, events, pool_states, pools


def read_cluster_marks(tx: Transaction) -> dict[UUID, int]:
    """A number for each live cluster; another one once it, its standing or a pool's changed, or
    there is news of it in the audit trail."""
    state = cluster_states.c
    query = (
        select(
            clusters.c.id,
            clusters.c.generation,
            *(state.phase, state.reason, state.step, state.applied_generation),
            *(_pick_newest(events.c.id), _pick_newest(events.c.applied_ms)),
        )
        .outerjoin(cluster_states, state.cluster_id == clusters.c.id)
        .where(clusters.c.deleted_at.is_(None))
    )
    found = {row.id: tuple(row)[1:] for row in tx.connection.execute(query)}
    standings = _read_pool_standings(tx)
    return {id: hash((row, tuple(standings[id]))) for id, row in found.items()}


def read_last_event(tx: Transaction) -> tuple[int, int | None]:
    """The number of the newest entry of the audit trail, 0 if there is none; and how long it
    took until that was in force, which is written later."""
    query = select(events.c.id, events.c.applied_ms).order_by(events.c.id.desc()).limit(1)
    newest = tx.connection.execute(query).one_or_none()
    return (0, None) if newest is None else (newest.id, newest.applied_ms)


def _pick_newest(column: Column[Any]) -> ScalarSelect[Any]:
    """Of the cluster's newest entry in the audit trail; by an index, however many there are."""
    newest = select(column).where(events.c.cluster_id == clusters.c.id).correlate(clusters)
    return newest.order_by(events.c.id.desc()).limit(1).scalar_subquery()


def _read_pool_standings(tx: Transaction) -> defaultdict[UUID, list[tuple[object, ...]]]:
    state = pool_states.c
    query = (
        select(pools.c.cluster_id, state.pool_id, state.phase, state.reason, state.held)
        .join(pools, pools.c.id == state.pool_id)
        .order_by(state.pool_id)
    )
    standings: defaultdict[UUID, list[tuple[object, ...]]] = defaultdict(list)
    for row in tx.connection.execute(query):
        standings[row.cluster_id].append(tuple(row)[1:])
    return standings
