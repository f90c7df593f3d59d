"""Clusters as they are wanted, and everything wanted of one of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from poolkeeper.domain.clusters import (
    Autoscale,
    Cluster,
    ClusterRequest,
    Desired,
    MaintenanceWindow,
    Ports,
)
from poolkeeper.domain.errors import NameTaken, NotFound
from poolkeeper.domain.sizes import parse_size
from poolkeeper.domain.status import Phase
from poolkeeper.store.constraints import violates
from poolkeeper.store.database import Transaction
from poolkeeper.store.databases import list_all_databases
from poolkeeper.store.firewall import list_rules
from poolkeeper.store.pools import list_all_pools
from poolkeeper.store.schema import cluster_states, clusters, live_cluster_names
from poolkeeper.store.users import list_all_users


def insert_cluster(
    tx: Transaction,
    id: UUID,
    request: ClusterRequest,
    *,
    ports: Ports,
    superuser_password: str,
    console_password: str,
    private_network_uuid: str,
    project_id: str,
) -> Cluster:
    """A new cluster, at generation 1.

    Raises NameTaken if a live one has its name; the transaction must end then.
    """
    cluster = Cluster(
        id=id,
        name=request.name,
        version=request.version,
        size=request.size,
        region=request.region,
        ports=ports,
        storage_size_mib=request.storage_size_mib,
        tags=request.tags,
        private_network_uuid=private_network_uuid,
        project_id=project_id,
        created_at=tx.now,
        generation=1,
        service_cnames=request.service_cnames,
        autoscale=request.autoscale,
    )
    row = _to_row(cluster) | {
        "superuser_password": tx.sealer.seal(superuser_password, _superuser_purpose(id)),
        "console_password": tx.sealer.seal(console_password, _console_purpose(id)),
    }
    try:
        tx.connection.execute(insert(clusters).values(row))
    except IntegrityError as error:
        if violates(error, live_cluster_names):
            raise NameTaken("cluster") from error
        raise
    return cluster


def find_cluster(tx: Transaction, id: UUID) -> Cluster | None:
    """The live cluster of that id."""
    query = select(clusters).where(clusters.c.id == id, clusters.c.deleted_at.is_(None))
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _to_cluster(row)


def find_cluster_by_name(tx: Transaction, name: str) -> Cluster | None:
    """The live cluster of that name."""
    query = select(clusters).where(clusters.c.name == name, clusters.c.deleted_at.is_(None))
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _to_cluster(row)


def list_clusters(
    tx: Transaction, *, tag: str | None = None, offset: int = 0, limit: int | None = None
) -> list[Cluster]:
    """The live clusters, oldest first; with a tag, those that bear it. Of these, so many
    after so many."""
    query = (
        select(clusters)
        .where(*_is_listed(tx, tag))
        .order_by(clusters.c.created_at, clusters.c.name)
        .offset(offset)
        .limit(limit)
    )
    return [_to_cluster(row) for row in tx.connection.execute(query)]


def count_clusters(tx: Transaction, *, tag: str | None = None) -> int:
    """How many ``list_clusters`` has in all."""
    query = select(func.count()).select_from(clusters).where(*_is_listed(tx, tag))
    return tx.connection.execute(query).scalar_one()


def list_cluster_ids(tx: Transaction) -> list[UUID]:
    """All clusters that there is work for: live ones, and deleted ones not yet removed."""
    query = select(clusters.c.id).order_by(clusters.c.created_at, clusters.c.id)
    return list(tx.connection.execute(query).scalars())


def list_ports(tx: Transaction) -> set[int]:
    """Direct ports in use: those of deleted clusters too, until their servers are stopped."""
    stopped = exists().where(
        cluster_states.c.cluster_id == clusters.c.id,
        cluster_states.c.phase == Phase.DELETED.value,
    )
    query = select(clusters.c.direct_port).where(or_(clusters.c.deleted_at.is_(None), ~stopped))
    return set(tx.connection.execute(query).scalars())


def read_generation(tx: Transaction, id: UUID) -> int | None:
    """The generation of a cluster that is not yet removed; the cheapest look at one."""
    query = select(clusters.c.generation).where(clusters.c.id == id)
    return tx.connection.execute(query).scalar()


def bump_generation(tx: Transaction, id: UUID) -> int:
    """Count one more change inside a cluster; the new generation. NotFound if it is none."""
    change = update(clusters).where(clusters.c.id == id)
    tx.connection.execute(change.values(generation=clusters.c.generation + 1))
    generation = read_generation(tx, id)
    if generation is None:
        raise NotFound("cluster not found")
    return generation


def update_cluster(tx: Transaction, cluster: Cluster) -> None:
    """Want a cluster as given, its generation included. NotFound if it is none."""
    change = update(clusters).where(clusters.c.id == cluster.id).values(_to_row(cluster))
    if tx.connection.execute(change).rowcount == 0:
        raise NotFound("cluster not found")


def mark_cluster_deleted(tx: Transaction, id: UUID) -> int:
    """Want a cluster gone; its name is free from now on. The new generation."""
    change = update(clusters).where(clusters.c.id == id)
    tx.connection.execute(change.values(deleted_at=tx.now))
    return bump_generation(tx, id)


def remove_cluster(tx: Transaction, id: UUID) -> None:
    """Forget a cluster and all that belongs to it, its status included. Its events stay."""
    tx.connection.execute(delete(clusters).where(clusters.c.id == id))


def read_desired(tx: Transaction, id: UUID) -> Desired | None:
    """Everything wanted of a cluster: what is to go, it included, and passwords in the clear."""
    row = tx.connection.execute(select(clusters).where(clusters.c.id == id)).one_or_none()
    if row is None:
        return None
    return Desired(
        cluster=_to_cluster(row),
        superuser_password=tx.sealer.unseal(row.superuser_password, _superuser_purpose(id)),
        console_password=tx.sealer.unseal(row.console_password, _console_purpose(id)),
        databases=tuple(list_all_databases(tx, id)),
        users=tuple(list_all_users(tx, id)),
        pools=tuple(list_all_pools(tx, id)),
        rules=tuple(list_rules(tx, id)),
    )


def _is_listed(tx: Transaction, tag: str | None) -> list[ColumnElement[bool]]:
    """Live, and bearing the tag if there is one."""
    live = clusters.c.deleted_at.is_(None)
    if tag is None:
        return [live]
    is_sqlite = tx.connection.dialect.name == "sqlite"
    unpack = func.json_each if is_sqlite else func.json_array_elements_text
    each = unpack(clusters.c.tags).table_valued("value")
    return [live, exists().select_from(each).where(each.c.value == tag)]


def _superuser_purpose(id: UUID) -> str:
    return f"cluster {id} superuser"


def _console_purpose(id: UUID) -> str:
    return f"cluster {id} console"


def _to_row(cluster: Cluster) -> dict[str, object]:
    return {
        "id": cluster.id,
        "name": cluster.name,
        "version": cluster.version,
        "size": cluster.size.slug,
        "region": cluster.region,
        "direct_port": cluster.ports.direct,
        "storage_size_mib": cluster.storage_size_mib,
        "tags": list(cluster.tags),
        "private_network_uuid": cluster.private_network_uuid,
        "project_id": cluster.project_id,
        "created_at": cluster.created_at,
        "generation": cluster.generation,
        "deleted_at": cluster.deleted_at,
        "maintenance_day": cluster.maintenance.day,
        "maintenance_hour": cluster.maintenance.hour,
        "service_cnames": list(cluster.service_cnames),
        "autoscale": asdict(cluster.autoscale),
        "config": dict(cluster.config),
        "resize_generation": cluster.resize_generation,
        "restart_generation": cluster.restart_generation,
    }


def _to_cluster(row: Row[Any]) -> Cluster:
    return Cluster(
        id=row.id,
        name=row.name,
        version=row.version,
        size=parse_size(row.size),
        region=row.region,
        ports=Ports(row.direct_port),
        storage_size_mib=row.storage_size_mib,
        tags=tuple(row.tags),
        private_network_uuid=row.private_network_uuid,
        project_id=row.project_id,
        created_at=row.created_at,
        generation=row.generation,
        deleted_at=row.deleted_at,
        maintenance=MaintenanceWindow(row.maintenance_day, row.maintenance_hour),
        service_cnames=tuple(row.service_cnames),
        autoscale=Autoscale(**row.autoscale),
        config=row.config,
        resize_generation=row.resize_generation,
        restart_generation=row.restart_generation,
    )
