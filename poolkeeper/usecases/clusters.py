"""Creating, reading and deleting clusters."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from poolkeeper.domain.clusters import (
    DEFAULT_DATABASE,
    DEFAULT_USER,
    Cluster,
    ClusterRequest,
    Ports,
)
from poolkeeper.domain.errors import NameTaken, Unavailable
from poolkeeper.domain.events import Event, EventKind, RecordedEvent
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.status import ClusterState, PoolLoad, PoolState, ServerProcess
from poolkeeper.domain.users import Role, User
from poolkeeper.store import clusters, databases, events, pools, status, users
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import require_cluster
from poolkeeper.usecases.credentials import new_password, new_user

_HIGHEST_PORT = 65534


@dataclass(frozen=True)
class ClusterView:
    """A cluster with what belongs to it, read in one transaction."""

    cluster: Cluster
    state: ClusterState | None
    users: tuple[User, ...]
    databases: tuple[str, ...]
    pools: tuple[Pool, ...]


@dataclass(frozen=True)
class ClusterDetail:
    """A cluster as our own ``/v1`` shows it: what is wanted, what is, and who holds what."""

    view: ClusterView
    pool_states: dict[int, PoolState]
    held: dict[str, int]
    processes: tuple[ServerProcess, ...]
    loads: dict[str, PoolLoad]


def list_clusters(context: Context, *, tag: str | None = None) -> list[ClusterView]:
    """All clusters, oldest first."""
    with context.store.read() as tx:
        return [_view(tx, cluster) for cluster in clusters.list_clusters(tx, tag=tag)]


def get_cluster(context: Context, cluster_id: UUID) -> ClusterView:
    """One cluster. Raises NotFound."""
    with context.store.read() as tx:
        return _view(tx, require_cluster(tx, cluster_id))


def list_details(context: Context) -> list[ClusterDetail]:
    """All clusters with their standing, oldest first."""
    with context.store.read() as tx:
        return [_detail(context, tx, cluster) for cluster in clusters.list_clusters(tx)]


def get_detail(context: Context, cluster_id: UUID) -> ClusterDetail:
    """One cluster with its standing. Raises NotFound."""
    with context.store.read() as tx:
        return _detail(context, tx, require_cluster(tx, cluster_id))


def preview_cluster(context: Context, cluster_id: UUID, request: ClusterRequest) -> ClusterView:
    """What ``create_cluster`` would return, but for the password: nothing is created.

    Raises what ``create_cluster`` would raise.
    """
    with context.store.read() as tx:
        if clusters.find_cluster_by_name(tx, request.name) is not None:
            raise NameTaken("cluster")
        cluster = Cluster(
            id=cluster_id,
            name=request.name,
            version=request.version,
            size=request.size,
            region=request.region,
            ports=_choose_ports(context, clusters.list_ports(tx)),
            storage_size_mib=request.storage_size_mib,
            tags=request.tags,
            private_network_uuid=request.private_network_uuid or str(cluster_id),
            project_id=request.project_id or str(cluster_id),
            created_at=tx.now,
            generation=1,
        )
    owner = User(DEFAULT_USER, Role.PRIMARY, password="", verifier="", generation=1)
    return ClusterView(cluster, None, (owner,), (DEFAULT_DATABASE,), ())


def create_cluster(
    context: Context, actor: str, cluster_id: UUID, request: ClusterRequest
) -> ClusterView:
    """Accept a new cluster; it is created in the background, as its status tells.

    Raises InvalidRequest, Unavailable (no free pair of ports).
    """
    with context.store.write() as tx:
        cluster = clusters.insert_cluster(
            tx,
            cluster_id,
            request,
            ports=_choose_ports(context, clusters.list_ports(tx)),
            superuser_password=new_password(context),
            console_password=new_password(context),
            private_network_uuid=request.private_network_uuid or str(cluster_id),
            project_id=request.project_id or str(cluster_id),
        )
        databases.put_database(tx, cluster.id, DEFAULT_DATABASE, cluster.generation)
        owner = new_user(context, DEFAULT_USER, Role.PRIMARY, cluster.generation)
        users.put_user(tx, cluster.id, owner)
        detail = {"size": cluster.size.slug, "version": cluster.version}
        events.add_event(
            tx, Event(EventKind.CLUSTER_CREATE, actor, cluster.name, cluster.id, detail)
        )
        view = _view(tx, cluster)
    context.changes.announce(cluster_id)
    return view


def delete_cluster(context: Context, actor: str, cluster_id: UUID) -> None:
    """Delete a cluster: it stops, and its data directory is kept for the grace period.

    Raises NotFound.
    """
    with context.store.write() as tx:
        cluster = require_cluster(tx, cluster_id)
        clusters.mark_cluster_deleted(tx, cluster_id)
        events.add_event(tx, Event(EventKind.CLUSTER_DELETE, actor, cluster.name, cluster_id))
    context.changes.announce(cluster_id)


def list_events(
    context: Context, *, cluster_id: UUID | None = None, limit: int = 100
) -> list[RecordedEvent]:
    """What happened, newest first."""
    with context.store.read() as tx:
        return events.list_events(tx, cluster_id=cluster_id, limit=limit)


def _view(tx: Transaction, cluster: Cluster) -> ClusterView:
    return ClusterView(
        cluster,
        status.read_cluster_state(tx, cluster.id),
        tuple(users.list_users(tx, cluster.id)),
        tuple(item.name for item in databases.list_databases(tx, cluster.id)),
        tuple(pools.list_pools(tx, cluster.id)),
    )


def _detail(context: Context, tx: Transaction, cluster: Cluster) -> ClusterDetail:
    return ClusterDetail(
        _view(tx, cluster),
        status.read_pool_states(tx, cluster.id),
        pools.read_held(tx, cluster.id),
        context.observations.processes(cluster.id),
        dict(context.observations.loads(cluster.id)),
    )


def _choose_ports(context: Context, taken: set[int]) -> Ports:
    for direct in range(context.first_port, _HIGHEST_PORT, 2):
        ports = Ports(direct)
        if direct in taken:
            continue
        if context.port_is_free(ports.direct) and context.port_is_free(ports.pool):
            return ports
    raise Unavailable(
        f"no free pair of ports from {context.first_port} upwards;"
        " free some, or choose others with --first-port"
    )
