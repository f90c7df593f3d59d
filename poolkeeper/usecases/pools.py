"""Creating, changing and deleting pools."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.errors import InvalidRequest, NameTaken, NotFound, Overtaken
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.names import parse_pool_name
from poolkeeper.domain.plan import Clients, PoolPlan, plan_change
from poolkeeper.domain.pools import (
    Pool,
    PoolFacts,
    PoolMode,
    PoolShape,
    admit_shape,
    change_shape,
    list_objections,
)
from poolkeeper.store import clusters, databases, events, pools, users
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.admission import commit_when_settled, read_budget
from poolkeeper.usecases.attempts import Attempt
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import Intent, await_in_force, await_online, require_cluster
from poolkeeper.usecases.repeats import commit_or_await, demand_repetition, note_creation


@dataclass(frozen=True)
class ShapeChange:
    """What is to change of a pool; None leaves a field. ``user`` "": an inbound pool."""

    size: int | None = None
    mode: PoolMode | None = None
    db: str | None = None
    user: str | None = None


def list_pools(context: Context, cluster_id: UUID) -> list[Pool]:
    """The cluster's pools. Raises NotFound."""
    with context.store.read() as tx:
        require_cluster(tx, cluster_id)
        return pools.list_pools(tx, cluster_id)


def get_pool(context: Context, cluster_id: UUID, name: str) -> Pool:
    """One pool. Raises NotFound."""
    with context.store.read() as tx:
        require_cluster(tx, cluster_id)
        return _require_pool(tx, cluster_id, name)


def create_pool(
    context: Context,
    actor: str,
    cluster_id: UUID,
    name: str,
    shape: PoolShape,
    *,
    attempt: Attempt | None = None,
) -> Pool:
    """Create a pool and return once clients can connect to it.

    A pool of that name that still drains is revived in place: its clients stay.
    Raises NotFound, NotReady, InvalidRequest, Unavailable; nothing is applied then.
    """
    parse_pool_name(name)
    await_online(context, cluster_id)
    insert = partial(_insert, context, attempt, actor=actor, name=name, shape=shape)
    pool, event_id = commit_or_await(
        context, lambda: commit_when_settled(context, cluster_id, insert)
    )
    withdraw = partial(_withdraw_creation, cluster_id, pool)
    await_in_force(context, actor, _intent(cluster_id, pool, event_id), withdraw)
    return pool


def list_refusals(
    context: Context, cluster_id: UUID, name: str, shape: PoolShape
) -> list[InvalidRequest]:
    """All that speaks against creating such a pool, where creating it raises the first. Raises
    NotFound."""
    with context.store.read() as tx:
        cluster = require_cluster(tx, cluster_id)
        found = pools.find_pool(tx, cluster_id, name)
        objections = list(list_objections(shape, _read_facts(context, tx, cluster, name)))
    return [NameTaken("pool"), *objections] if found else objections


def update_pool(
    context: Context,
    actor: str,
    cluster_id: UUID,
    name: str,
    shape: PoolShape,
    *,
    expected: int | None = None,
) -> None:
    """Give a pool another shape and return once it is in force; nobody is disconnected.

    ``expected``: the generation that it is to have now; else Overtaken is raised.
    Raises NotFound, NotReady, InvalidRequest, Unavailable; nothing is applied then.
    """
    await_online(context, cluster_id)
    with context.turns.take(cluster_id, f"pool:{name}", context.wait_seconds):
        before = get_pool(context, cluster_id, name)
        if before.shape == shape:
            # Asked for before a restart of the control plane, it may not be in force yet.
            await_in_force(context, actor, _intent(cluster_id, before), None)
            return
        change = partial(_change, context, actor=actor, name=name, shape=shape, expected=expected)
        pool, event_id = commit_when_settled(context, cluster_id, change)
        await_in_force(
            context,
            actor,
            _intent(cluster_id, pool, event_id),
            partial(_withdraw_change, context, cluster_id, pool, before.shape),
        )


def delete_pool(context: Context, actor: str, cluster_id: UUID, name: str) -> None:
    """Delete a pool: its name is free at once, new logins are refused, and the clients that
    are connected have the drain time to leave before they are cut. Raises NotFound."""
    with context.store.write() as tx:
        require_cluster(tx, cluster_id)
        pool = _require_pool(tx, cluster_id, name)
        generation = clusters.bump_generation(tx, cluster_id)
        pools.mark_pool_deleted(tx, pool.id, generation)
        detail = {"before": _describe(pool.shape)}
        event_id = _record(tx, EventKind.POOL_DELETE, actor, cluster_id, pool, detail)
    intent = Intent(cluster_id, f"pool:{name}", generation, event_id)
    # With the cluster, the pool is gone all the same.
    with suppress(NotFound):
        await_in_force(context, actor, intent, None)


def plan_pool(context: Context, cluster_id: UUID, name: str, change: ShapeChange) -> PoolPlan:
    """What a change would do, without doing it. Raises what the change would raise."""
    with context.store.read() as tx:
        cluster = require_cluster(tx, cluster_id)
        before = _require_pool(tx, cluster_id, name).shape
        facts = _read_facts(context, tx, cluster, name)
    after = change_shape(
        before,
        size=change.size,
        mode=change.mode,
        db=change.db,
        user=change.user or None,
        inbound=change.user == "",
    )
    load = context.observations.loads(cluster_id).get(name)
    connected = None if load is None else load.clients_active + load.clients_waiting
    clients = Clients(connected, context.query_wait_timeout)
    return plan_change(before, admit_shape(after, facts), facts, clients)


def _insert(
    context: Context,
    attempt: Attempt | None,
    tx: Transaction,
    cluster: Cluster,
    *,
    actor: str,
    name: str,
    shape: PoolShape,
) -> tuple[Pool, int | None]:
    found = pools.find_pool(tx, cluster.id, name)
    if found is not None:
        demand_repetition(context, tx, attempt, _intent(cluster.id, found))
        return found, None
    admit_shape(shape, _read_facts(context, tx, cluster, name))
    generation = clusters.bump_generation(tx, cluster.id)
    draining = pools.find_draining_pool(tx, cluster.id, name)
    if draining is None:
        pool = pools.insert_pool(tx, cluster.id, name, shape, generation)
    else:
        pools.revive_pool(tx, draining.id, shape, generation)
        pool = _require_pool(tx, cluster.id, name)
    note_creation(context, tx, attempt, _intent(cluster.id, pool))
    detail = _describe(pool.shape)
    return pool, _record(tx, EventKind.POOL_CREATE, actor, cluster.id, pool, detail)


def _change(
    context: Context,
    tx: Transaction,
    cluster: Cluster,
    *,
    actor: str,
    name: str,
    shape: PoolShape,
    expected: int | None,
) -> tuple[Pool, int]:
    pool = _require_pool(tx, cluster.id, name)
    if expected not in (None, pool.generation):
        raise Overtaken(f"pool {name}")
    admit_shape(shape, _read_facts(context, tx, cluster, name))
    generation = clusters.bump_generation(tx, cluster.id)
    pools.change_pool(tx, pool.id, shape, generation)
    changed = replace(pool, shape=shape, generation=generation)
    detail = {**_describe(shape), "before": _describe(pool.shape)}
    return changed, _record(tx, EventKind.POOL_UPDATE, actor, cluster.id, pool, detail)


def _withdraw_creation(cluster_id: UUID, pool: Pool, tx: Transaction) -> None:
    current = pools.find_pool(tx, cluster_id, pool.name)
    if current is not None and (current.id, current.generation) == (pool.id, pool.generation):
        pools.mark_pool_deleted(tx, pool.id, clusters.bump_generation(tx, cluster_id))


def _withdraw_change(
    context: Context, cluster_id: UUID, pool: Pool, before: PoolShape, tx: Transaction
) -> None:
    current = pools.find_pool(tx, cluster_id, pool.name)
    if current is not None and (current.id, current.generation) == (pool.id, pool.generation):
        # What a smaller size had set free may be another pool's by now.
        facts = _read_facts(context, tx, require_cluster(tx, cluster_id), pool.name)
        size = min(before.size, facts.budget - sum(facts.held.values()))
        restored = replace(before, size=size)
        pools.change_pool(tx, pool.id, restored, clusters.bump_generation(tx, cluster_id))


def _read_facts(context: Context, tx: Transaction, cluster: Cluster, name: str) -> PoolFacts:
    held = pools.read_held(tx, cluster.id, tx.now - context.grace)
    return PoolFacts(
        budget=read_budget(tx, cluster),
        databases=frozenset(item.name for item in databases.list_databases(tx, cluster.id)),
        users=frozenset(users.list_user_names(tx, cluster.id)),
        held={other: size for other, size in held.items() if other != name},
    )


def _require_pool(tx: Transaction, cluster_id: UUID, name: str) -> Pool:
    pool = pools.find_pool(tx, cluster_id, name)
    if pool is None:
        raise NotFound("not found")
    return pool


def _intent(cluster_id: UUID, pool: Pool, event_id: int | None = None) -> Intent:
    return Intent(cluster_id, f"pool:{pool.name}", pool.generation, event_id)


def _describe(shape: PoolShape) -> dict[str, object]:
    return {"db": shape.db, "user": shape.user or "", "mode": shape.mode, "size": shape.size}


def _record(
    tx: Transaction,
    kind: EventKind,
    actor: str,
    cluster_id: UUID,
    pool: Pool,
    detail: Mapping[str, object],
) -> int:
    return events.add_event(tx, Event(kind, actor, pool.name, cluster_id, detail))
