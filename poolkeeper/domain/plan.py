"""What a change of a pool means for those who use it, said before it is made.

How each change reaches clients was found by running PgBouncer: docs/pools.md has the table.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from poolkeeper.domain.pools import PoolFacts, PoolMode, PoolShape


class Effect(enum.StrEnum):
    """When a change reaches clients that are connected; none by itself disconnects anybody."""

    LIVE = "live"
    NEXT_TRANSACTION = "next-transaction"
    NEW_CONNECTIONS = "new-connections"


@dataclass(frozen=True)
class Change:
    """One field that changes, as text, and how it reaches those who are connected."""

    field: str
    before: str
    after: str
    effect: Effect
    detail: str


@dataclass(frozen=True)
class BudgetLine:
    """How a size fits the budget; ``left`` is what remains after the change."""

    total: int
    held_by_others: int
    asked: int

    @property
    def left(self) -> int:
        return self.total - self.held_by_others - self.asked


@dataclass(frozen=True)
class Clients:
    """Who is connected to the pool now, None if that was not seen; and after how many seconds
    of waiting PgBouncer cuts a client, 0: never."""

    connected: int | None
    query_wait_timeout: int


@dataclass(frozen=True)
class PoolPlan:
    """All changes of one update. ``disconnects`` is always 0: only DELETE cuts by itself.
    ``warnings``: who may be cut in the end, in sentences. ``clients``: who is connected now."""

    changes: tuple[Change, ...]
    budget: BudgetLine
    clients: int | None
    warnings: tuple[str, ...] = ()
    disconnects: int = 0


def plan_change(
    before: PoolShape, after: PoolShape, facts: PoolFacts, clients: Clients
) -> PoolPlan:
    """Compare two shapes of a pool. The new one must have been admitted."""
    changes = [
        change
        for change in (
            _plan_size(before, after),
            _plan_mode(before, after),
            _plan_db(before, after),
            _plan_user(before, after),
        )
        if change is not None
    ]
    budget = BudgetLine(facts.budget, sum(facts.held.values()), after.size)
    return PoolPlan(
        tuple(changes), budget, clients.connected, tuple(_list_warnings(before, after, clients))
    )


def _list_warnings(before: PoolShape, after: PoolShape, clients: Clients) -> Iterator[str]:
    becomes = after.mode if before.mode != after.mode else None
    shrinks = after.mode is PoolMode.SESSION and after.size < before.size
    if becomes is PoolMode.SESSION or shrinks:
        yield from _warn_of_sessions(after.size, clients)
    if becomes is PoolMode.STATEMENT:
        yield "A transaction that is open, or begun later, is refused, and its client cut."


def _warn_of_sessions(size: int, clients: Clients) -> Iterator[str]:
    """In session mode a client keeps its backend until it leaves."""
    limit = clients.query_wait_timeout
    end = f", and are cut after {limit} s (query_wait_timeout)" if limit else " for ever if need be"
    if clients.connected is None:
        yield (
            f"In session mode each client that works keeps a backend until it leaves. Clients"
            f" beyond {size} wait for one{end}. How many are connected is not known now."
        )
    elif clients.connected > size:
        yield (
            f"{clients.connected} clients are connected, and in session mode each that works keeps"
            f" a backend until it leaves: {clients.connected - size} of them find none among"
            f" {size}. They wait{end}."
        )


def _plan_size(before: PoolShape, after: PoolShape) -> Change | None:
    if before.size == after.size:
        return None
    if after.size > before.size:
        detail = "backends are opened as clients need them"
    else:
        detail = (
            "backends above the new size close as soon as their transaction ends"
            " (in session mode: as their client leaves)"
        )
    return Change("size", str(before.size), str(after.size), Effect.LIVE, detail)


def _plan_mode(before: PoolShape, after: PoolShape) -> Change | None:
    if before.mode == after.mode:
        return None
    detail = "a client that holds a backend keeps it until it next lets it go"
    if PoolMode.SESSION in (before.mode, after.mode):
        detail += (
            "; statements that the driver of a connected client has prepared are unknown then,"
            " so have such clients reconnect"
        )
    if after.mode is PoolMode.STATEMENT:
        detail += (
            "; a transaction that is open then is refused like every later one, and its client cut"
        )
    return Change("mode", before.mode, after.mode, Effect.NEXT_TRANSACTION, detail)


def _plan_db(before: PoolShape, after: PoolShape) -> Change | None:
    if before.db == after.db:
        return None
    detail = (
        "a running transaction ends on the old database; the next one of every connected"
        " client runs on the new one"
    )
    return Change("db", before.db, after.db, Effect.NEXT_TRANSACTION, detail)


def _plan_user(before: PoolShape, after: PoolShape) -> Change | None:
    if before.user == after.user:
        return None
    detail = "clients that are connected stay as they are; new logins must be the new user"
    if after.user is None:
        detail = "clients that are connected stay as they are; any user may log in from now on"
    detail += "; while those who stay keep all backends busy, new ones wait"
    return Change(
        "user",
        before.user or "(as the connecting user)",
        after.user or "(as the connecting user)",
        Effect.NEW_CONNECTIONS,
        detail,
    )
