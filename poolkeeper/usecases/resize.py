"""Giving a cluster another size."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from uuid import UUID

from poolkeeper.domain.clusters import Cluster, ResizeRequest, plan_storage
from poolkeeper.domain.errors import Overtaken, SizeTooSmall
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.sizes import Size
from poolkeeper.store import clusters, events, pools
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.admission import commit_when_settled
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import await_online, require_cluster


def resize_cluster(
    context: Context,
    actor: str,
    cluster_id: UUID,
    request: ResizeRequest,
    *,
    expected: Size | None = None,
) -> None:
    """Accept another size; PostgreSQL is restarted with it in the background.

    The cluster is ``resizing`` meanwhile. Its own size again changes nothing.
    ``expected``: the size that it is to have now; else Overtaken is raised.
    Raises NotFound, NotReady, InvalidField, SizeTooSmall.
    """
    await_online(context, cluster_id)
    change = partial(_resize, actor=actor, request=request, expected=expected)
    commit_when_settled(context, cluster_id, change)
    context.changes.announce(cluster_id)


def check_resize(context: Context, cluster_id: UUID, request: ResizeRequest) -> int:
    """The storage in MiB that the cluster would have after it. Nothing is changed.

    Raises NotFound, InvalidField, SizeTooSmall.
    """
    with context.store.read() as tx:
        cluster = require_cluster(tx, cluster_id)
        _check_budget(tx, cluster, request.size)
        return plan_storage(cluster, request)


def _resize(
    tx: Transaction,
    cluster: Cluster,
    *,
    actor: str,
    request: ResizeRequest,
    expected: Size | None,
) -> None:
    if expected not in (None, cluster.size):
        raise Overtaken(f"the size of cluster {cluster.name}")
    size = request.size
    storage = plan_storage(cluster, request)
    if (size, storage) == (cluster.size, cluster.storage_size_mib):
        return
    _check_budget(tx, cluster, size)
    generation = cluster.generation + 1
    resized = replace(
        cluster,
        size=size,
        storage_size_mib=storage,
        generation=generation,
        resize_generation=generation,
        restart_generation=generation,
    )
    clusters.update_cluster(tx, resized)
    detail = {
        "from": cluster.size.slug,
        "to": size.slug,
        "storage_size_mib": storage,
        "before": {"storage_size_mib": cluster.storage_size_mib},
    }
    events.add_event(tx, Event(EventKind.CLUSTER_RESIZE, actor, cluster.name, cluster.id, detail))


def _check_budget(tx: Transaction, cluster: Cluster, size: Size) -> None:
    held = pools.read_held(tx, cluster.id, tx.now)
    if size.budget < cluster.budget and sum(held.values()) > size.budget:
        raise SizeTooSmall(size.slug, size.budget, held)
