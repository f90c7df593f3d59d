"""The end of a cluster: stopped at once, its data kept for the grace period."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.status import ClusterState, Phase
from poolkeeper.engine.files import remove_tree
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.process import stop_pooler
from poolkeeper.engine.postgres import server
from poolkeeper.reconcile.host import Host
from poolkeeper.store import clusters, events, status
from poolkeeper.store.database import Transaction

_STOP_TIMEOUT = 30.0


def stop_servers(paths: ClusterPaths, *, is_final: bool = False) -> list[str]:
    """Stop PgBouncer, then PostgreSQL; says which were running. Raises EngineError.

    ``is_final``: nobody starts them again, so what holds up an orderly stop need not be waited
    for.
    """
    stopped = []
    if stop_pooler(paths):
        stopped.append("PgBouncer")
    if server.find_postmaster(paths) is not None:
        _stop_postgres(paths, is_final=is_final)
        stopped.append("PostgreSQL")
    return stopped


def _stop_postgres(paths: ClusterPaths, *, is_final: bool) -> None:
    try:
        server.stop(paths, timeout=_STOP_TIMEOUT)
    except ProcessFailed:
        # A replica that does not read on, say, and is never given up (wal_sender_timeout 0).
        if not is_final:
            raise
        server.stop(paths, timeout=_STOP_TIMEOUT, mode="immediate")


def write_stopped(
    tx: Transaction, desired: Desired, state: ClusterState, paths: ClusterPaths
) -> None:
    """Write down that a deleted cluster no longer runs, and where its data is."""
    stopped = replace(
        state,
        phase=Phase.DELETED,
        reason=f"its data is kept in {paths.data}",
        since=tx.now,
        step="",
        applied_generation=desired.cluster.generation,
    )
    status.write_cluster_state(tx, stopped)


def is_data_due(host: Host, desired: Desired, now: datetime) -> bool:
    """Whether the grace period of a deleted cluster's data is over."""
    deleted_at = desired.cluster.deleted_at
    return deleted_at is not None and now >= deleted_at + host.keep_data


def remove_data(host: Host, desired: Desired, paths: ClusterPaths) -> None:
    """Remove the files of a deleted cluster, then its rows. Raises OSError."""
    cluster = desired.cluster
    remove_tree(paths.root)
    with host.store.write() as tx:
        clusters.remove_cluster(tx, cluster.id)
        events.add_event(
            tx, Event(EventKind.CLUSTER_REMOVED, "reconciler", cluster.name, cluster.id)
        )
