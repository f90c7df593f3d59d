"""Pools of a cluster as they are wanted: live ones, and deleted ones while they drain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from poolkeeper.domain.errors import NameTaken, NotFound
from poolkeeper.domain.pools import Pool, PoolMode, PoolShape
from poolkeeper.store.constraints import violates
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import live_pool_names, pool_states, pools

# What a ``Pool`` is made of, in the order in which ``to_pool`` takes it.
POOL_COLUMNS = (
    *(pools.c.id, pools.c.name, pools.c.db, pools.c.user_name, pools.c.mode, pools.c.size),
    *(pools.c.generation, pools.c.created_at, pools.c.deleted_at),
)

_MODES = {mode.value: mode for mode in PoolMode}


def list_pools(tx: Transaction, cluster_id: UUID) -> list[Pool]:
    """The live ones, oldest first."""
    return _fetch(tx, _select_pools(cluster_id).where(pools.c.deleted_at.is_(None)))


def list_all_pools(tx: Transaction, cluster_id: UUID) -> list[Pool]:
    """The live and the draining ones, oldest first."""
    return _fetch(tx, _select_pools(cluster_id))


def find_pool(tx: Transaction, cluster_id: UUID, name: str) -> Pool | None:
    """The live pool of that name."""
    query = _select_pools(cluster_id).where(pools.c.name == name, pools.c.deleted_at.is_(None))
    return next(iter(_fetch(tx, query)), None)


def find_draining_pool(tx: Transaction, cluster_id: UUID, name: str) -> Pool | None:
    """Of the deleted pools of that name, the one that was deleted last."""
    query = (
        select(*POOL_COLUMNS)
        .where(
            pools.c.cluster_id == cluster_id,
            pools.c.name == name,
            pools.c.deleted_at.is_not(None),
        )
        .order_by(pools.c.deleted_at.desc(), pools.c.id.desc())
        .limit(1)
    )
    return next(iter(_fetch(tx, query)), None)


def insert_pool(
    tx: Transaction, cluster_id: UUID, name: str, shape: PoolShape, generation: int
) -> Pool:
    """A new pool. Raises NameTaken if a live one has its name; the transaction must end then."""
    row = _to_row(shape) | {
        "cluster_id": cluster_id,
        "name": name,
        "generation": generation,
        "created_at": tx.now,
    }
    try:
        result = tx.connection.execute(insert(pools).values(row))
    except IntegrityError as error:
        raise _translate(error) from error
    key = result.inserted_primary_key
    assert key is not None
    return Pool(key[0], name, shape, generation, created_at=tx.now)


def change_pool(tx: Transaction, pool_id: int, shape: PoolShape, generation: int) -> None:
    """Want a pool in another shape. NotFound if it is gone."""
    _update(tx, pool_id, _to_row(shape) | {"generation": generation})


def mark_pool_deleted(tx: Transaction, pool_id: int, generation: int) -> None:
    """Want a pool gone, once it has drained; its name is free. NotFound if it is gone."""
    _update(tx, pool_id, {"deleted_at": tx.now, "generation": generation})


def revive_pool(tx: Transaction, pool_id: int, shape: PoolShape, generation: int) -> None:
    """Want a deleted pool after all, in this shape.

    Raises NotFound if it is gone; NameTaken if its name is, and the transaction must end.
    """
    _update(tx, pool_id, _to_row(shape) | {"deleted_at": None, "generation": generation})


def purge_pool(tx: Transaction, pool_id: int) -> None:
    """Forget a pool and its status."""
    tx.connection.execute(delete(pools).where(pools.c.id == pool_id))


def read_held(tx: Transaction, cluster_id: UUID, kept_since: datetime) -> dict[str, int]:
    """By name, the backend connections that the pools may hold at this moment.

    A pool holds its size, or more while it shrinks; a deleted one too, until it was seen to
    hold nothing and was deleted by ``kept_since``. Two of the same name are added.
    """
    query = (
        select(pools.c.name, pools.c.size, pools.c.deleted_at, pool_states.c.held)
        .outerjoin(pool_states, pool_states.c.pool_id == pools.c.id)
        .where(pools.c.cluster_id == cluster_id)
    )
    held: Counter[str] = Counter()
    for row in tx.connection.execute(query):
        held[row.name] += count_held(row.size, row.held, row.deleted_at, kept_since)
    return dict(+held)


def count_held(
    size: int, held: int | None, deleted_at: datetime | None, kept_since: datetime
) -> int:
    """What one pool counts for in ``read_held``. ``held``: what its status says, if it has one."""
    is_past = deleted_at is not None and deleted_at <= kept_since
    return 0 if is_past and held == 0 else max(size, held or 0)


def _select_pools(cluster_id: UUID) -> Select[Any]:
    ordered = select(*POOL_COLUMNS).order_by(pools.c.created_at, pools.c.name, pools.c.id)
    return ordered.where(pools.c.cluster_id == cluster_id)


def _fetch(tx: Transaction, query: Select[Any]) -> list[Pool]:
    return [to_pool(row) for row in tx.connection.execute(query)]


def _update(tx: Transaction, pool_id: int, values: dict[str, object]) -> None:
    change = update(pools).where(pools.c.id == pool_id).values(values)
    try:
        result = tx.connection.execute(change)
    except IntegrityError as error:
        raise _translate(error) from error
    if result.rowcount == 0:
        raise NotFound("not found")


def _translate(error: IntegrityError) -> Exception:
    return NameTaken("pool") if violates(error, live_pool_names) else error


def _to_row(shape: PoolShape) -> dict[str, object]:
    return {
        "db": shape.db,
        "user_name": shape.user,
        "mode": shape.mode.value,
        "size": shape.size,
    }


def to_pool(values: Iterable[Any]) -> Pool:
    """A row of ``POOL_COLUMNS``."""
    id, name, db, user, mode, size, generation, created_at, deleted_at = values
    shape = PoolShape(db, user, _MODES[mode], size)
    return Pool(id, name, shape, generation, created_at, deleted_at)
