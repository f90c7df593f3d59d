"""The pools of many clusters with their status, read with one query."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import String, and_, case, func, select, type_coerce

from poolkeeper.domain.pools import Pool
from poolkeeper.domain.status import PoolState
from poolkeeper.store.database import Transaction
from poolkeeper.store.pools import POOL_COLUMNS, count_held, to_pool
from poolkeeper.store.schema import pool_states, pools
from poolkeeper.store.status import to_pool_state

# Where, in a row of both, the state of the pool begins.
_STATE = 1 + len(POOL_COLUMNS)


@dataclass
class PoolStandings:
    """Of one cluster: the live pools, oldest first; their states by pool id, as far as the
    reconciler has seen them; and what is held, as ``pools.read_held`` has it."""

    pools: list[Pool] = field(default_factory=list)
    states: dict[int, PoolState] = field(default_factory=dict)
    held: Counter[str] = field(default_factory=Counter)


def read_standings(
    tx: Transaction, cluster_ids: Collection[UUID], kept_since: datetime
) -> Mapping[UUID, PoolStandings]:
    """The standings of each of those clusters."""
    # As the database has it: an id that is made for each pool costs as much as the pool's row.
    owner = type_coerce(pools.c.cluster_id, String).label("owner")
    query = (
        select(owner, *POOL_COLUMNS, pool_states)
        .outerjoin(pool_states, pool_states.c.pool_id == pools.c.id)
        .where(pools.c.cluster_id.in_(cluster_ids))
        .order_by(pools.c.created_at, pools.c.name, pools.c.id)
    )
    found: dict[str | UUID, PoolStandings] = defaultdict(PoolStandings)
    for row in tx.connection.execute(query).all():
        standings = found[row[0]]
        pool = to_pool(row[1:_STATE])
        state = None if row[_STATE] is None else to_pool_state(row[_STATE:])
        seen = state.held if state else None
        if held := count_held(pool.shape.size, seen, pool.deleted_at, kept_since):
            standings.held[pool.name] += held
        if pool.deleted_at is None:
            standings.pools.append(pool)
            if state is not None:
                standings.states[pool.id] = state
    known = {_to_id(owner): standings for owner, standings in found.items()}
    return {each: known.get(each) or PoolStandings() for each in cluster_ids}


def _to_id(owner: str | UUID) -> UUID:
    return owner if isinstance(owner, UUID) else UUID(owner)


@dataclass(frozen=True)
class PoolCount:
    """Of one cluster: how many live pools, and what all together hold."""

    pools: int = 0
    held: int = 0


def count_pools(tx: Transaction, kept_since: datetime) -> Mapping[UUID, PoolCount]:
    """What ``read_standings`` comes to for each cluster that has pools, by the same rules; the
    database adds up, which for many clusters is much less work."""
    seen = func.coalesce(pool_states.c.held, 0)
    is_past = and_(pools.c.deleted_at <= kept_since, pool_states.c.held == 0)
    held = case((is_past, 0), (seen > pools.c.size, seen), else_=pools.c.size)
    query = (
        select(
            pools.c.cluster_id,
            func.sum(case((pools.c.deleted_at.is_(None), 1), else_=0)).label("live"),
            func.sum(held).label("held"),
        )
        .outerjoin(pool_states, pool_states.c.pool_id == pools.c.id)
        .group_by(pools.c.cluster_id)
    )
    return {
        row.cluster_id: PoolCount(int(row.live), int(row.held))
        for row in tx.connection.execute(query)
    }
