"""Settings of a cluster beside its configuration: storage that grows, and names of its own."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from uuid import UUID

from poolkeeper.domain.clusters import Autoscale
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.store import clusters, events
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import Intent, await_in_force, await_online, require_cluster

_SUBJECT = "do_settings"


def read_autoscale(context: Context, cluster_id: UUID) -> Autoscale:
    """When the cluster's storage is to grow. Raises NotFound."""
    with context.store.read() as tx:
        return require_cluster(tx, cluster_id).autoscale


def update_autoscale(context: Context, actor: str, cluster_id: UUID, autoscale: Autoscale) -> None:
    """Keep when storage is to grow. No server has to do with it. Raises NotFound."""
    with context.store.write() as tx:
        cluster = require_cluster(tx, cluster_id)
        if autoscale == cluster.autoscale:
            return
        clusters.update_cluster(tx, replace(cluster, autoscale=autoscale))
        detail = {**asdict(autoscale), "before": asdict(cluster.autoscale)}
        events.add_event(
            tx, Event(EventKind.AUTOSCALE_UPDATE, actor, cluster.name, cluster_id, detail)
        )


def read_service_names(context: Context, cluster_id: UUID) -> tuple[str, ...]:
    """The cluster's own names. Raises NotFound."""
    with context.store.read() as tx:
        return require_cluster(tx, cluster_id).service_cnames


def update_service_names(
    context: Context, actor: str, cluster_id: UUID, names: tuple[str, ...]
) -> None:
    """Replace the cluster's own names, and return once its certificate has them.

    Clients that are connected stay so. Raises NotFound, NotReady, Unavailable.
    """
    await_online(context, cluster_id)
    with context.turns.take(cluster_id, _SUBJECT, context.wait_seconds):
        with context.store.write() as tx:
            cluster = require_cluster(tx, cluster_id)
            before, generation, event_id = cluster.service_cnames, cluster.generation, None
            if names != before:
                generation += 1
                clusters.update_cluster(
                    tx, replace(cluster, service_cnames=names, generation=generation)
                )
                detail = {
                    "service_cnames": list(names),
                    "before": {"service_cnames": list(before)},
                }
                event_id = events.add_event(
                    tx, Event(EventKind.DO_SETTINGS_UPDATE, actor, cluster.name, cluster_id, detail)
                )
        withdraw = partial(_withdraw, cluster_id, before, names) if names != before else None
        intent = Intent(cluster_id, _SUBJECT, generation, event_id)
        await_in_force(context, actor, intent, withdraw)


def _withdraw(
    cluster_id: UUID, before: tuple[str, ...], after: tuple[str, ...], tx: Transaction
) -> None:
    cluster = clusters.find_cluster(tx, cluster_id)
    # Somebody may have replaced them once more since.
    if cluster is not None and cluster.service_cnames == after:
        restored = replace(cluster, service_cnames=before, generation=cluster.generation + 1)
        clusters.update_cluster(tx, restored)
