"""Which pools a pooler is to serve now, and as what: the decision behind its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from poolkeeper.domain.pools import Pool, PoolMode


@dataclass(frozen=True)
class Entry:
    """One line of PgBouncer's ``[databases]``.

    ``size`` 0: it opens no backend, those it has go on. ``accepts_logins`` False: the pool
    drains; those who are connected stay.
    """

    name: str
    db: str
    user: str | None
    mode: PoolMode
    size: int
    accepts_logins: bool = True


@dataclass(frozen=True)
class EntryPlan:
    """The entries, and the deleted pools that are served no more (``removed``, by id)."""

    entries: tuple[Entry, ...]
    removed: frozenset[int]
    draining: frozenset[int]


def plan_entries(
    pools: Iterable[Pool],
    clients: Mapping[str, int] | None,
    now: datetime,
    drain: timedelta,
) -> EntryPlan:
    """Every live pool, and those deleted ones that still have clients and time.

    ``clients``: connected clients by pool as PgBouncer counts them, None if it does not
    run. A deleted pool drains for one look at least, so that its logins are refused before
    its last client is looked for.
    """
    pools = list(pools)
    live = {pool.name: pool for pool in pools if pool.deleted_at is None}
    entries = [_entry(pool) for pool in live.values()]
    removed, draining = set(), set()
    for pool in sorted(pools, key=lambda pool: pool.id, reverse=True):
        if pool.deleted_at is None:
            continue
        taken = any(entry.name == pool.name for entry in entries)
        if taken or _is_over(pool, pool.deleted_at, clients, now, drain):
            removed.add(pool.id)
        else:
            draining.add(pool.id)
            entries.append(_entry(pool))
    return EntryPlan(tuple(entries), frozenset(removed), frozenset(draining))


def _is_over(
    pool: Pool,
    deleted_at: datetime,
    clients: Mapping[str, int] | None,
    now: datetime,
    drain: timedelta,
) -> bool:
    if clients is None or pool.name not in clients:
        return True
    return now >= deleted_at + drain or clients[pool.name] == 0


def _entry(pool: Pool) -> Entry:
    shape = pool.shape
    return Entry(pool.name, shape.db, shape.user, shape.mode, shape.size, pool.deleted_at is None)
