"""What a pass means for each pool, written down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.status import Failure, Phase, PoolState
from poolkeeper.reconcile.pooler import Outcome
from poolkeeper.store import events, status
from poolkeeper.store.database import Transaction


def write_pool_states(
    tx: Transaction, desired: Desired, outcome: Outcome, failures: Mapping[str, Failure]
) -> None:
    """Write the standing of every pool whose standing changed."""
    before = status.read_pool_states(tx, desired.cluster.id)
    for pool in desired.pools:
        known = before.get(pool.id)
        state = judge_pool(pool, outcome, failures.get(f"pool:{pool.name}"), known, tx.now)
        if state == known:
            continue
        status.write_pool_state(tx, state)
        if state.phase is Phase.DELETED:
            events.add_event(
                tx, Event(EventKind.POOL_REMOVED, "reconciler", pool.name, desired.cluster.id)
            )


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
    served = outcome.served.get(pool.name)
    size = 0 if pool.id in outcome.plan.removed else pool.shape.size
    open_now = served.backends if served and pool.id not in outcome.plan.removed else 0
    phase, reason = Phase.ACTIVE, ""
    if pool.id in outcome.plan.removed:
        phase = Phase.DELETED
    elif pool.id in outcome.plan.draining:
        clients = served.clients if served else 0
        phase, reason = Phase.DRAINING, f"{clients} clients still connected"
    elif failure is not None:
        phase, reason = Phase.FAILED, failure.reason
    elif open_now > size:
        phase = Phase.DRAINING
        reason = f"size {size}, open {open_now}: backends close as they are let go"
    since = known.since if known is not None and known.phase is phase else now
    return PoolState(pool.id, phase, reason, since, pool.generation, max(size, open_now))
