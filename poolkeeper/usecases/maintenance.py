"""When PostgreSQL may be restarted, and having it restarted now."""

from __future__ import annotations

from dataclasses import asdict, replace
from uuid import UUID

from poolkeeper.domain.clusters import MaintenanceWindow
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.store import clusters, events
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import await_online, require_cluster


def set_window(context: Context, actor: str, cluster_id: UUID, window: MaintenanceWindow) -> None:
    """Choose when what takes a restart may happen. Raises NotFound."""
    with context.store.write() as tx:
        cluster = require_cluster(tx, cluster_id)
        if cluster.maintenance == window:
            return
        changed = replace(cluster, maintenance=window, generation=cluster.generation + 1)
        clusters.update_cluster(tx, changed)
        detail = {**asdict(window), "before": asdict(cluster.maintenance)}
        events.add_event(
            tx, Event(EventKind.MAINTENANCE_UPDATE, actor, cluster.name, cluster_id, detail)
        )
    context.changes.announce(cluster_id)


def install_update(context: Context, actor: str, cluster_id: UUID) -> None:
    """Have what waits for a restart of PostgreSQL put in force now, in the background.

    If nothing waits nothing is restarted. Raises NotFound, NotReady.
    """
    await_online(context, cluster_id)
    with context.store.write() as tx:
        cluster = require_cluster(tx, cluster_id)
        generation = cluster.generation + 1
        # Even if nothing is known to wait: the reconciler may be about to find it out.
        asked = replace(cluster, generation=generation, restart_generation=generation)
        clusters.update_cluster(tx, asked)
        events.add_event(tx, Event(EventKind.MAINTENANCE_INSTALL, actor, cluster.name, cluster_id))
    context.changes.announce(cluster_id)
