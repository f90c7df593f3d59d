"""Creating, reading and deleting clusters."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from poolkeeper.domain.clusters import (
    DEFAULT_DATABASE,
    DEFAULT_USER,
    Cluster,
    ClusterRequest,
    Ports,
)
from poolkeeper.domain.errors import NameTaken, Unavailable
from poolkeeper.domain.events import EVERYTHING, Event, EventKind, EventSearch, RecordedEvent
from poolkeeper.domain.standing import ClusterDetail, ClusterSummary
from poolkeeper.domain.users import Role, ShownUser
from poolkeeper.store import clusters, databases, events, firewall, users
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.attempts import Attempt
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import Intent, require_cluster
from poolkeeper.usecases.credentials import new_password, new_user
from poolkeeper.usecases.firewall import prepare_rules
from poolkeeper.usecases.repeats import commit_or_await, demand_repetition, note_creation
from poolkeeper.usecases.tags import adopt_tags, preview_tags
from poolkeeper.usecases.views import (
    ClusterView,
    read_details,
    read_summaries,
    read_view,
    read_views,
)

_HIGHEST_PORT = 65534


def list_clusters(
    context: Context,
    *,
    tag: str | None = None,
    reveal: bool = True,
    offset: int = 0,
    limit: int | None = None,
) -> list[ClusterView]:
    """The clusters, or those with a tag, oldest first; of these, so many after so many.

    Without ``reveal`` passwords are empty, and so it is below.
    """
    with context.store.read() as tx:
        found = clusters.list_clusters(tx, tag=tag, offset=offset, limit=limit)
        return read_views(tx, found, reveal=reveal)


def count_clusters(context: Context, *, tag: str | None = None) -> int:
    """How many ``list_clusters`` has in all."""
    with context.store.read() as tx:
        return clusters.count_clusters(tx, tag=tag)


def get_cluster(context: Context, cluster_id: UUID, *, reveal: bool = True) -> ClusterView:
    """One cluster. Raises NotFound."""
    with context.store.read() as tx:
        return read_view(tx, require_cluster(tx, cluster_id), reveal=reveal)


def require_live_cluster(context: Context, cluster_id: UUID) -> Cluster:
    """The cluster, without what belongs to it. Raises NotFound."""
    with context.store.read() as tx:
        return require_cluster(tx, cluster_id)


def list_details(context: Context) -> list[ClusterDetail]:
    """All clusters with their standing, oldest first."""
    with context.store.read() as tx:
        return read_details(context, tx, clusters.list_clusters(tx))


def list_summaries(context: Context) -> list[ClusterSummary]:
    """All clusters with what a list says of them, oldest first."""
    with context.store.read() as tx:
        return read_summaries(context, tx, clusters.list_clusters(tx))


def get_detail(context: Context, cluster_id: UUID) -> ClusterDetail:
    """One cluster with its standing. Raises NotFound."""
    with context.store.read() as tx:
        [detail] = read_details(context, tx, [require_cluster(tx, cluster_id)])
    return detail


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
            tags=preview_tags(tx, request.tags),
            private_network_uuid=request.private_network_uuid or str(cluster_id),
            project_id=request.project_id or str(cluster_id),
            created_at=tx.now,
            generation=1,
            service_cnames=request.service_cnames,
            autoscale=request.autoscale,
        )
        rules = prepare_rules(context, tx, request.rules, ())
    owner = ShownUser(DEFAULT_USER, Role.PRIMARY, password="")
    return ClusterView(cluster, None, [owner], [DEFAULT_DATABASE], rules)


def create_cluster(
    context: Context,
    actor: str,
    cluster_id: UUID,
    request: ClusterRequest,
    *,
    attempt: Attempt | None = None,
) -> ClusterView:
    """Accept a new cluster; it is created in the background, as its status tells.

    Raises InvalidRequest, Unavailable (no free pair of ports).
    """

    def commit() -> ClusterView:
        with context.store.write() as tx:
            cluster = clusters.find_cluster_by_name(tx, request.name)
            if cluster is not None:
                demand_repetition(context, tx, attempt, _intent(cluster))
                return read_view(tx, cluster)
            cluster = _insert(context, tx, cluster_id, request)
            note_creation(context, tx, attempt, _intent(cluster))
            detail = {
                "size": cluster.size.slug,
                "version": cluster.version,
                "region": cluster.region,
            }
            events.add_event(
                tx, Event(EventKind.CLUSTER_CREATE, actor, cluster.name, cluster.id, detail)
            )
            return read_view(tx, cluster)

    view = commit_or_await(context, commit)
    context.changes.announce(view.cluster.id)
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
    context: Context,
    *,
    cluster_id: UUID | None = None,
    subject: str | None = None,
    search: EventSearch = EVERYTHING,
    limit: int = 100,
) -> list[RecordedEvent]:
    """What happened, newest first."""
    with context.store.read() as tx:
        return events.list_events(
            tx, cluster_id=cluster_id, subject=subject, search=search, limit=limit
        )


def _insert(
    context: Context, tx: Transaction, cluster_id: UUID, request: ClusterRequest
) -> Cluster:
    cluster = clusters.insert_cluster(
        tx,
        cluster_id,
        replace(request, tags=adopt_tags(tx, request.tags)),
        ports=_choose_ports(context, clusters.list_ports(tx)),
        superuser_password=new_password(context),
        console_password=new_password(context),
        private_network_uuid=request.private_network_uuid or str(cluster_id),
        project_id=request.project_id or str(cluster_id),
    )
    databases.put_database(tx, cluster.id, DEFAULT_DATABASE, cluster.generation)
    owner = new_user(context, DEFAULT_USER, Role.PRIMARY, cluster.generation)
    users.put_user(tx, cluster.id, owner)
    firewall.replace_rules(tx, cluster.id, prepare_rules(context, tx, request.rules, ()))
    return cluster


def _intent(cluster: Cluster) -> Intent:
    return Intent(cluster.id, f"cluster:{cluster.name}", cluster.generation)


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
