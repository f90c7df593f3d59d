"""Pools, and the one place that decides whether a pool may be as it was asked."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from poolkeeper.domain.errors import BudgetExceeded, InvalidField, InvalidRequest

MAX_POOL_SIZE = 2**31 - 1


class PoolMode(enum.StrEnum):
    """PgBouncer's ``pool_mode``: when a backend goes back to the pool."""

    TRANSACTION = "transaction"
    SESSION = "session"
    STATEMENT = "statement"


@dataclass(frozen=True)
class PoolShape:
    """What of a pool may change while it lives. ``user`` None: an inbound-user pool."""

    db: str
    user: str | None
    mode: PoolMode
    size: int


@dataclass(frozen=True)
class Pool:
    """A pool as it is wanted.

    ``generation`` is the cluster's generation at which it last changed; ``deleted_at`` is
    set while it drains. ``id`` tells two pools of one name, one after the other, apart.
    """

    id: int
    name: str
    shape: PoolShape
    generation: int
    created_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True)
class PoolFacts:
    """What a decision about one pool of a cluster rests on, read in one transaction.

    ``held`` maps each *other* pool, draining ones included, to the backend connections
    that it may hold at this moment: its size, or more while it still shrinks.
    """

    budget: int
    databases: frozenset[str]
    users: frozenset[str]
    held: Mapping[str, int]


def parse_mode(text: str) -> PoolMode:
    """The mode of that name."""
    try:
        return PoolMode(text)
    except ValueError:
        known = ", ".join(mode.value for mode in PoolMode)
        raise InvalidField("mode", f"{text!r} is none of {known}") from None


def admit_shape(shape: PoolShape, facts: PoolFacts) -> PoolShape:
    """The shape, if the cluster can bear a pool like that; else raises the first objection."""
    for objection in list_objections(shape, facts):
        raise objection
    return shape


def list_objections(shape: PoolShape, facts: PoolFacts) -> Iterator[InvalidRequest]:
    """All that speaks against such a pool: InvalidField, BudgetExceeded; at most one a field."""
    is_number = 1 <= shape.size <= MAX_POOL_SIZE
    if not is_number:
        yield InvalidField("size", f"{shape.size} is not a number from 1 to {facts.budget}")
    if shape.db not in facts.databases:
        yield InvalidField("db", f"there is no database {shape.db!r} in this cluster")
    if shape.user is not None and shape.user not in facts.users:
        yield InvalidField("user", f"there is no user {shape.user!r} in this cluster")
    if is_number and shape.size + sum(facts.held.values()) > facts.budget:
        yield BudgetExceeded(shape.size, facts.budget, facts.held)


def change_shape(
    shape: PoolShape,
    *,
    size: int | None = None,
    mode: PoolMode | None = None,
    db: str | None = None,
    user: str | None = None,
    inbound: bool = False,
) -> PoolShape:
    """The shape with what is given replaced; ``inbound`` takes the user away."""
    return replace(
        shape,
        size=shape.size if size is None else size,
        mode=shape.mode if mode is None else mode,
        db=shape.db if db is None else db,
        user=None if inbound else (shape.user if user is None else user),
    )


def split_size(size: int, processes: int) -> list[int]:
    """Shares of a size over the processes of a pooler; they sum to the size."""
    share, rest = divmod(size, processes)
    return [share + 1] * rest + [share] * (processes - rest)
