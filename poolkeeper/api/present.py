"""What the domain knows, as DigitalOcean's JSON. Pure.

``reveal``: whether the caller may see passwords; if not they are empty, in URIs too.
"""

from __future__ import annotations

from dataclasses import replace

from poolkeeper.api import shapes
from poolkeeper.api.moments import show_second
from poolkeeper.api.versions import look_up_lifetime, name_release
from poolkeeper.domain.clusters import ClusterStatus
from poolkeeper.domain.connections import PROTOCOL, Connection
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.users import User
from poolkeeper.usecases.clusters import ClusterView

METRICS_PORT = 9273

_MAINTENANCE_WINDOW: shapes.MaintenanceWindow = {
    "day": "sunday",
    "hour": "03:00:00",
    "pending": False,
    "description": [],
}


def present_connection(connection: Connection, *, reveal: bool) -> shapes.Connection:
    """How to connect to a cluster or pool."""
    shown = connection if reveal else replace(connection, password="")
    return {
        "protocol": PROTOCOL,
        "uri": shown.uri,
        "database": shown.database,
        "host": shown.host,
        "port": shown.port,
        "user": shown.user,
        "password": shown.password,
        "ssl": True,
    }


def present_user(user: User, *, reveal: bool) -> shapes.User:
    """A user. ``settings`` that say nothing are left out: Terraform takes them for a change."""
    shown: shapes.User = {
        "name": user.name,
        "role": user.role,
        "password": user.password if reveal else "",
    }
    if user.allow_replication:
        shown["settings"] = {"pg_allow_replication": True}
    return shown


def present_database(name: str) -> shapes.Database:
    """A database."""
    return {"name": name}


def present_pool(pool: Pool, connection: Connection, *, reveal: bool) -> shapes.Pool:
    """A pool. Its user stays empty when it has none: Terraform takes anything else for a change."""
    shown = present_connection(connection, reveal=reveal)
    return {
        "user": pool.shape.user or "",
        "name": pool.name,
        "size": pool.shape.size,
        "db": pool.shape.db,
        "mode": pool.shape.mode,
        "connection": shown,
        "private_connection": shown,
    }


def present_cluster(view: ClusterView, connection: Connection, *, reveal: bool) -> shapes.Cluster:
    """A cluster."""
    cluster = view.cluster
    lifetime = look_up_lifetime(cluster.version)
    shown = present_connection(connection, reveal=reveal)
    return {
        "id": str(cluster.id),
        "name": cluster.name,
        "engine": "pg",
        "version": cluster.version,
        "semantic_version": name_release(cluster.version),
        "num_nodes": 1,
        "size": cluster.size.slug,
        "region": cluster.region,
        "status": view.state.status if view.state else ClusterStatus.CREATING,
        "created_at": show_second(cluster.created_at),
        "connection": shown,
        # The same host: DigitalOcean's `private-…` name would resolve nowhere here.
        "private_connection": shown,
        "users": [present_user(user, reveal=reveal) for user in view.users],
        "db_names": list(view.databases),
        "tags": list(cluster.tags),
        "private_network_uuid": cluster.private_network_uuid,
        "project_id": cluster.project_id,
        "storage_size_mib": cluster.storage_size_mib,
        "maintenance_window": _MAINTENANCE_WINDOW,
        "metrics_endpoints": [{"host": connection.host, "port": METRICS_PORT}],
        "read_only": False,
        "version_end_of_life": lifetime.end_of_life,
        "version_end_of_availability": lifetime.end_of_availability,
    }
