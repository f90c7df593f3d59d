"""Databases of a cluster as they are wanted.

A deleted one stays as a tombstone, an order to drop it, until its cluster is removed or
a database of that name is wanted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from poolkeeper.domain.databases import Database
from poolkeeper.domain.errors import NotFound
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import databases


def list_databases(tx: Transaction, cluster_id: UUID) -> list[Database]:
    """The live ones, in the order in which they were created."""
    return [database for database in list_all_databases(tx, cluster_id) if not database.deleted]


def list_database_names(
    tx: Transaction, cluster_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[str]]:
    """The live ones' names, of many clusters at once."""
    query = (
        select(databases.c.cluster_id, databases.c.name)
        .where(databases.c.cluster_id.in_(cluster_ids), databases.c.deleted.is_(False))
        .order_by(databases.c.id)
    )
    found: dict[UUID, list[str]] = defaultdict(list)
    for cluster_id, name in tx.connection.execute(query):
        found[cluster_id].append(name)
    return found


def list_all_databases(tx: Transaction, cluster_id: UUID) -> list[Database]:
    """The live ones and the tombstones."""
    query = select(databases).where(databases.c.cluster_id == cluster_id).order_by(databases.c.id)
    return [_to_database(row) for row in tx.connection.execute(query)]


def put_database(tx: Transaction, cluster_id: UUID, name: str, generation: int) -> None:
    """Want a database: a new one, one whose tombstone is lifted, or a live one once more."""
    change = update(databases).where(*_is_live(cluster_id, name)).values(generation=generation)
    if tx.connection.execute(change).rowcount:
        return
    # Anew rather than revived: its place in the order of creation is a new one.
    forget_database(tx, cluster_id, name)
    row = {"cluster_id": cluster_id, "name": name, "generation": generation, "deleted": False}
    tx.connection.execute(insert(databases).values(row))


def mark_database_deleted(tx: Transaction, cluster_id: UUID, name: str, generation: int) -> None:
    """Want a database dropped, at this generation. NotFound if there is none."""
    change = update(databases).where(*_is_live(cluster_id, name))
    if tx.connection.execute(change.values(deleted=True, generation=generation)).rowcount == 0:
        raise NotFound("not found")


def forget_database(tx: Transaction, cluster_id: UUID, name: str) -> None:
    """Neither want a database nor want it dropped: nothing is known of the name."""
    tx.connection.execute(
        delete(databases).where(databases.c.cluster_id == cluster_id, databases.c.name == name)
    )


def _is_live(cluster_id: UUID, name: str) -> tuple[ColumnElement[bool], ...]:
    table = databases.c
    return table.cluster_id == cluster_id, table.name == name, table.deleted.is_(False)


def _to_database(row: Row[Any]) -> Database:
    return Database(name=row.name, generation=row.generation, deleted=row.deleted)
