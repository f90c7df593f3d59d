"""How to connect: to a pool, and to PostgreSQL itself."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from poolkeeper.domain.connections import Connection
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.tokens import READ, VIEW_CREDENTIALS
from poolkeeper.panel.connection_details import Details, describe_connection
from poolkeeper.panel.forms import Form
from poolkeeper.panel.pool_modes import WORDS
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import get_cluster, get_detail, require_live_cluster
from poolkeeper.usecases.connections import cluster_connection, read_pool_connections
from poolkeeper.usecases.pools import get_pool
from poolkeeper.usecases.views import ClusterView

pages = Pages()


@pages.get("/databases/{cluster_id}/connect", scope=READ)
def show_direct(visit: Visit) -> Response:
    """The direct connection; ``?user=`` and ``?db=`` choose as whom and to what."""
    view = get_cluster(visit.context, visit.cluster_id, reveal=visit.allows(VIEW_CREDENTIALS))
    connection = _choose_user(visit, view, cluster_connection(visit.context, view))
    if visit.query("db") in view.databases:
        connection = replace(connection, database=visit.query("db"))
    return _show(visit, view, describe_connection(connection, None), None)


@pages.get("/databases/{cluster_id}/pools/{name}/connect", scope=READ)
def show_pool(visit: Visit) -> Response:
    """A pool's connection; one of inbound users takes ``?user=``."""
    reveal = visit.allows(VIEW_CREDENTIALS)
    pool = get_pool(visit.context, visit.cluster_id, visit.part("name"))
    view = get_cluster(visit.context, visit.cluster_id, reveal=reveal)
    [connection] = read_pool_connections(visit.context, visit.cluster_id, [pool], reveal=reveal)
    if pool.shape.user is None:
        connection = _choose_user(visit, view, connection)
    return _show(visit, view, describe_connection(connection, pool.shape.mode), pool)


@pages.get("/databases/{cluster_id}/ca.crt", scope=READ)
def download_ca(visit: Visit) -> Response:
    """The certificate of Poolkeeper's authority, to be saved."""
    require_live_cluster(visit.context, visit.cluster_id)
    headers = {"content-disposition": 'attachment; filename="poolkeeper-ca.crt"'}
    return Response(
        visit.context.ca_certificate, headers=headers, media_type="application/x-pem-file"
    )


def _choose_user(visit: Visit, view: ClusterView, connection: Connection) -> Connection:
    for user in view.users:
        if user.name == visit.query("user"):
            return replace(connection, user=user.name, password=user.password)
    return connection


def _show(visit: Visit, view: ClusterView, details: Details, pool: Pool | None) -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    return visit.page(
        "connect.html",
        has_secrets=details.has_password,
        cluster=view.cluster,
        standing=judge_standing(detail),
        details=details,
        pool=pool,
        words=WORDS[pool.shape.mode] if pool else None,
        users=[user.name for user in view.users],
        databases=view.databases,
        chosen=Form({"user": details.connection.user, "db": details.connection.database}),
    )
