"""What the domain knows, as DigitalOcean's JSON. Pure.

``reveal``: whether the caller may see passwords; if not they are empty, in URIs too.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from poolkeeper.api import shapes
from poolkeeper.api.moments import show_second
from poolkeeper.api.versions import look_up_lifetime
from poolkeeper.domain.connections import PROTOCOL, Connection
from poolkeeper.domain.firewall import FirewallRule
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.status import tell_status
from poolkeeper.domain.users import ShownUser, User
from poolkeeper.usecases.views import ClusterView


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


def present_user(user: User | ShownUser, *, reveal: bool) -> shapes.User:
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


def present_rule(cluster_id: UUID, rule: FirewallRule) -> shapes.Rule:
    """A trusted source."""
    return {
        "uuid": str(rule.uuid),
        "cluster_uuid": str(cluster_id),
        "type": rule.type,
        "value": rule.value,
        "description": rule.description,
        "created_at": show_second(rule.created_at),
    }


def present_cluster(
    view: ClusterView, connection: Connection, *, release: str, reveal: bool, api_port: int
) -> shapes.Cluster:
    """A cluster. ``release``: of its PostgreSQL. ``/metrics`` is on the API's port, the same for
    all of them."""
    cluster = view.cluster
    lifetime = look_up_lifetime(cluster.version)
    shown = present_connection(connection, reveal=reveal)
    return {
        "id": str(cluster.id),
        "name": cluster.name,
        "engine": "pg",
        "version": cluster.version,
        "semantic_version": release,
        "num_nodes": 1,
        "size": cluster.size.slug,
        "region": cluster.region,
        "status": tell_status(cluster, view.state),
        "created_at": show_second(cluster.created_at),
        "connection": shown,
        # The same host: DigitalOcean's `private-…` name would resolve nowhere here.
        "private_connection": shown,
        "users": [present_user(user, reveal=reveal) for user in view.users],
        "db_names": list(view.databases),
        "tags": list(cluster.tags),
        "private_network_uuid": cluster.private_network_uuid,
        "project_id": cluster.project_id,
        "rules": [present_rule(cluster.id, rule) for rule in view.rules],
        "storage_size_mib": cluster.storage_size_mib,
        "do_settings": {"service_cnames": list(cluster.service_cnames)},
        "maintenance_window": _present_window(view),
        "metrics_endpoints": [{"host": connection.host, "port": api_port}],
        "read_only": False,
        "version_end_of_life": lifetime.end_of_life,
        "version_end_of_availability": lifetime.end_of_availability,
    }


def _present_window(view: ClusterView) -> shapes.MaintenanceWindow:
    window, pending = view.cluster.maintenance, view.state.pending if view.state else ()
    return {
        "day": window.day,
        "hour": window.hour,
        "pending": bool(pending),
        "description": list(pending),
    }
