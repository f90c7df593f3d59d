"""The cheapest look at everything that a page may show of clusters."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from sqlalchemy import func, select

from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import cluster_states, clusters, events, pool_states, pools


def read_cluster_marks(tx: Transaction) -> dict[UUID, int]:
    """A number for each live cluster; another one once it, its standing or a pool's changed."""
    state = cluster_states.c
    query = (
        select(
            clusters.c.id,
            clusters.c.generation,
            *(state.phase, state.reason, state.step, state.applied_generation),
        )
        .outerjoin(cluster_states, state.cluster_id == clusters.c.id)
        .where(clusters.c.deleted_at.is_(None))
    )
    found = {row.id: tuple(row)[1:] for row in tx.connection.execute(query)}
    standings = _read_pool_standings(tx)
    return {id: hash((row, tuple(standings[id]))) for id, row in found.items()}


def read_last_event(tx: Transaction) -> int:
    """The number of the newest entry of the audit trail; 0 if there is none."""
    newest: int | None = tx.connection.execute(select(func.max(events.c.id))).scalar()
    return newest or 0


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
