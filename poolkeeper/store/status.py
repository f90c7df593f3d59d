"""What the reconciler last saw and did. Written by it alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Row, Table, delete, insert, select, update

from poolkeeper.domain.status import ClusterState, Failure, Phase, PoolState
from poolkeeper.store import schema
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import cluster_states, pool_states, pools


def read_cluster_state(tx: Transaction, cluster_id: UUID) -> ClusterState | None:
    """A cluster's standing; None before the reconciler has first seen it."""
    query = select(cluster_states).where(cluster_states.c.cluster_id == cluster_id)
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _to_cluster_state(row)


def list_cluster_states(tx: Transaction, cluster_ids: Collection[UUID]) -> dict[UUID, ClusterState]:
    """The standing of those clusters that the reconciler has seen."""
    query = select(cluster_states).where(cluster_states.c.cluster_id.in_(cluster_ids))
    states = [_to_cluster_state(row) for row in tx.connection.execute(query)]
    return {state.cluster_id: state for state in states}


def write_cluster_state(tx: Transaction, state: ClusterState) -> None:
    """Replace a cluster's standing."""
    row: dict[str, object] = {
        "phase": state.phase.value,
        "reason": state.reason,
        "since": state.since,
        "step": state.step,
        "applied_generation": state.applied_generation,
        "failed_generation": state.failed_generation,
        "was_online": state.was_online,
        "pending": list(state.pending),
        "restarted_generation": state.restarted_generation,
        "max_connections": state.max_connections,
    }
    _replace(tx, cluster_states, cluster_states.c.cluster_id, state.cluster_id, row)


def read_pool_states(tx: Transaction, cluster_id: UUID) -> dict[int, PoolState]:
    """The standing of a cluster's pools, draining ones included, by pool id."""
    query = select(pool_states).join(pools).where(pools.c.cluster_id == cluster_id)
    states = [to_pool_state(row) for row in tx.connection.execute(query)]
    return {state.pool_id: state for state in states}


def write_pool_state(tx: Transaction, state: PoolState) -> None:
    """Replace a pool's standing."""
    row: dict[str, object] = {
        "phase": state.phase.value,
        "reason": state.reason,
        "since": state.since,
        "applied_generation": state.applied_generation,
        "held": state.held,
    }
    _replace(tx, pool_states, pool_states.c.pool_id, state.pool_id, row)


def read_failures(tx: Transaction, cluster_id: UUID) -> dict[str, Failure]:
    """By subject, such as ``pool:web``, why changes of a cluster are not in force."""
    table = schema.failures
    query = select(table).where(table.c.cluster_id == cluster_id).order_by(table.c.subject)
    rows = tx.connection.execute(query)
    return {row.subject: Failure(row.generation, row.reason) for row in rows}


def write_failures(tx: Transaction, cluster_id: UUID, failures: Mapping[str, Failure]) -> None:
    """Replace all failures of a cluster."""
    table = schema.failures
    tx.connection.execute(delete(table).where(table.c.cluster_id == cluster_id))
    rows = [
        {
            "cluster_id": cluster_id,
            "subject": subject,
            "generation": failure.generation,
            "reason": failure.reason,
        }
        for subject, failure in failures.items()
    ]
    if rows:
        tx.connection.execute(insert(table), rows)


def _replace(
    tx: Transaction, table: Table, key: Column[Any], value: object, row: dict[str, object]
) -> None:
    """Update or insert. Nothing comes between the two: write transactions do not overlap."""
    result = tx.connection.execute(update(table).where(key == value).values(row))
    if result.rowcount == 0:
        tx.connection.execute(insert(table).values(row | {key.name: value}))


_PHASES = {phase.value: phase for phase in Phase}


def _to_cluster_state(row: Row[Any]) -> ClusterState:
    return ClusterState(
        cluster_id=row.cluster_id,
        phase=_PHASES[row.phase],
        reason=row.reason,
        since=row.since,
        step=row.step,
        applied_generation=row.applied_generation,
        failed_generation=row.failed_generation,
        was_online=row.was_online,
        pending=tuple(row.pending),
        restarted_generation=row.restarted_generation,
        max_connections=row.max_connections,
    )


def to_pool_state(values: Iterable[Any]) -> PoolState:
    """A row of the table ``pool_states``."""
    pool_id, phase, reason, since, applied_generation, held = values
    return PoolState(pool_id, _PHASES[phase], reason, since, applied_generation, held)
