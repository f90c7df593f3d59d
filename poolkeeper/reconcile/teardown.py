"""The end of a cluster: stopped at once, its data kept for the grace period."""

from __future__ import annotations

from datetime import datetime

from poolkeeper.domain.clusters import Desired
from poolkeeper.engine.files import remove_tree
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.process import stop_pooler
from poolkeeper.engine.postgres import server
from poolkeeper.reconcile.host import Host
from poolkeeper.store import clusters

_STOP_TIMEOUT = 30.0


def stop_servers(paths: ClusterPaths) -> list[str]:
    """Stop PgBouncer, then PostgreSQL; says which were running. Raises EngineError."""
    stopped = []
    if stop_pooler(paths):
        stopped.append("PgBouncer")
    if server.find_postmaster(paths) is not None:
        server.stop(paths, timeout=_STOP_TIMEOUT, mode="fast")
        stopped.append("PostgreSQL")
    return stopped


def is_data_due(host: Host, desired: Desired, now: datetime) -> bool:
    """Whether the grace period of a deleted cluster's data is over."""
    deleted_at = desired.cluster.deleted_at
    return deleted_at is not None and now >= deleted_at + host.keep_data


def remove_data(host: Host, desired: Desired, paths: ClusterPaths) -> None:
    """Remove the files of a deleted cluster, then its rows. Raises OSError."""
    remove_tree(paths.root)
    with host.store.write() as tx:
        clusters.remove_cluster(tx, desired.cluster.id)
