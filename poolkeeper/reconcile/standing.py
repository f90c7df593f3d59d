"""What a pass means for a cluster and each of its pools, written down."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.maintenance import RestartCause
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.status import ClusterState, Failure, Phase, PoolState
from poolkeeper.reconcile.pooler import Outcome
from poolkeeper.reconcile.restart import Restarted
from poolkeeper.reconcile.servers import Applied
from poolkeeper.store import events, pools, status
from poolkeeper.store.database import Transaction


def write_standing(
    tx: Transaction,
    desired: Desired,
    state: ClusterState,
    applied: Applied,
    known: Mapping[str, Failure],
    failures: Mapping[str, Failure],
) -> ClusterState:
    """Write whatever changed: the pools' standing, the failures (``known`` are those that are
    written), and the cluster's own, which is returned."""
    cluster = desired.cluster
    _write_pools(tx, desired, applied.outcome, failures)
    if failures != known:
        status.write_failures(tx, cluster.id, failures)
    active = replace(
        state,
        phase=Phase.ACTIVE,
        reason=applied.reason,
        step="",
        since=state.since if state.phase is Phase.ACTIVE else tx.now,
        applied_generation=cluster.generation,
        was_online=True,
        pending=applied.pending,
        max_connections=applied.max_connections,
        # A restart that was asked for is done if nothing waits for it.
        restarted_generation=(
            state.restarted_generation if applied.pending else cluster.restart_generation
        ),
    )
    if active != state:
        status.write_cluster_state(tx, active)
    if not state.was_online:
        events.add_event(
            tx, Event(EventKind.CLUSTER_ONLINE, "reconciler", cluster.name, cluster.id)
        )
        return active
    for server in applied.restarted:
        events.add_event(tx, Event(EventKind.SERVER_STARTED, "reconciler", server, cluster.id))
    return active


def write_restart(
    tx: Transaction, desired: Desired, state: ClusterState, cause: RestartCause, done: Restarted
) -> None:
    """Write down a planned restart: for what, and what it meant to clients.

    It counts as the one that was asked for, whatever it did not cure: there is no other.
    """
    cluster = desired.cluster
    restarted = replace(
        state,
        restarted_generation=cluster.restart_generation,
        pending=done.pending,
        max_connections=done.max_connections,
    )
    status.write_cluster_state(tx, restarted)
    detail: dict[str, object] = {
        "cause": cause.value,
        "reasons": list(state.pending),
        "paused_ms": done.paused_ms,
        "cut_sessions": done.sessions,
        "cut_transactions": done.transactions,
    }
    if done.fault:
        detail["fault"] = done.fault
    kind = EventKind.CLUSTER_MAINTENANCE_PERFORM
    events.add_event(tx, Event(kind, "reconciler", cluster.name, cluster.id, detail))


def merge_failures(
    desired: Desired,
    known: Mapping[str, Failure],
    retried: Collection[str],
    applied: Applied,
) -> dict[str, Failure]:
    """What is not in force after a pass, with why.

    A failure of a user or database stands until it is retried or withdrawn; those of pools
    are looked at in every pass.
    """
    generation = desired.cluster.generation
    alive = {f"user:{user.name}" for user in desired.users}
    alive |= {f"database:{database.name}" for database in desired.databases}
    standing = {
        subject: failure
        for subject, failure in known.items()
        if subject in alive and subject not in retried
    }
    found = dict(applied.catalog)
    found |= {f"pool:{name}": reason for name, reason in applied.outcome.failures.items()}
    return standing | {subject: Failure(generation, why) for subject, why in found.items()}


def judge_pool(
    pool: Pool,
    outcome: Outcome,
    failure: Failure | None,
    known: PoolState | None,
    now: datetime,
) -> PoolState:
    """A pool's phase, with its reason, and how many backends it may have open now.

    Since the caps were read back from PgBouncer before, a pool that has more than its size
    open cannot gain any: what is open is what it holds.
    """
    removed = pool.id in outcome.plan.removed
    served = None if removed else outcome.served.get(pool.name)
    size = 0 if removed else pool.shape.size
    backends = served.backends if served else 0
    phase, reason = Phase.ACTIVE, ""
    if removed:
        phase = Phase.DELETED
    elif pool.id in outcome.plan.draining:
        phase, reason = Phase.DRAINING, f"{served.clients if served else 0} clients still connected"
    elif failure is not None:
        phase, reason = Phase.FAILED, failure.reason
    elif backends > size:
        phase = Phase.DRAINING
        reason = f"size {size}, open {backends}: backends close as they are let go"
    since = known.since if known is not None and known.phase is phase else now
    return PoolState(pool.id, phase, reason, since, pool.generation, max(size, backends))


def _write_pools(
    tx: Transaction, desired: Desired, outcome: Outcome, failures: Mapping[str, Failure]
) -> None:
    before = status.read_pool_states(tx, desired.cluster.id)
    # A pool that was gone for good may have been purged since ``desired`` was read.
    existing = {pool.id for pool in pools.list_all_pools(tx, desired.cluster.id)}
    for pool in desired.pools:
        if pool.id not in existing:
            continue
        known = before.get(pool.id)
        state = judge_pool(pool, outcome, failures.get(f"pool:{pool.name}"), known, tx.now)
        if state == known:
            continue
        status.write_pool_state(tx, state)
        if state.phase is Phase.DELETED:
            events.add_event(
                tx, Event(EventKind.POOL_REMOVED, "reconciler", pool.name, desired.cluster.id)
            )
