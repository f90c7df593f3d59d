"""Admitting what takes backend connections: the ledger is read where it is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from poolkeeper.domain.clusters import Cluster, ClusterStatus
from poolkeeper.domain.errors import BudgetExceeded, SizeTooSmall
from poolkeeper.domain.status import Phase, count_budget, tell_status
from poolkeeper.store import pools, status
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import require_cluster

_LONGEST_SLEEP = 0.25

Committed = TypeVar("Committed")


def commit_when_settled(
    context: Context, cluster_id: UUID, commit: Callable[[Transaction, Cluster], Committed]
) -> Committed:
    """Run ``commit`` in a write transaction; what it returned.

    While only pools that still drain or shrink stand in its way, or a cluster that still
    grows, wait for them. Raises what ``commit`` raises, in the end BudgetExceeded; NotFound.
    """
    deadline = time.monotonic() + context.wait_seconds
    while True:
        seen = context.changes.version(cluster_id)
        try:
            with context.store.write() as tx:
                cluster = require_cluster(tx, cluster_id)
                _purge_removed(context, tx, cluster_id)
                return commit(tx, cluster)
        except BudgetExceeded as error:
            left = deadline - time.monotonic()
            if left <= 0 or not _fits_once_settled(context, cluster_id, error):
                raise
        context.changes.wait_beyond(cluster_id, seen, min(left, _LONGEST_SLEEP))


def read_budget(tx: Transaction, cluster: Cluster) -> int:
    """Backend connections that the cluster's pools may hold together now."""
    return count_budget(cluster, status.read_cluster_state(tx, cluster.id))


def _fits_once_settled(context: Context, cluster_id: UUID, error: BudgetExceeded) -> bool:
    with context.store.read() as tx:
        cluster = require_cluster(tx, cluster_id)
        state = status.read_cluster_state(tx, cluster_id)
        wanted = {pool.name: pool.shape.size for pool in pools.list_pools(tx, cluster_id)}
    if isinstance(error, SizeTooSmall):
        total = error.total
    elif tell_status(cluster, state) is ClusterStatus.RESIZING:
        total = cluster.budget
    else:
        total = count_budget(cluster, state)
    settled = sum(size for name, size in wanted.items() if name in error.held)
    return error.asked + settled <= total


def _purge_removed(context: Context, tx: Transaction, cluster_id: UUID) -> None:
    states = status.read_pool_states(tx, cluster_id)
    removed = {id for id, state in states.items() if state.phase is Phase.DELETED}
    if not removed:
        return
    for pool in pools.list_all_pools(tx, cluster_id):
        # Not one that was revived, and deleted again, while it was taken out of service.
        is_current = pool.id in removed and states[pool.id].applied_generation == pool.generation
        # Until then its share is kept for its name.
        is_past = pool.deleted_at is not None and pool.deleted_at <= tx.now - context.grace
        if is_current and is_past:
            pools.purge_pool(tx, pool.id)
