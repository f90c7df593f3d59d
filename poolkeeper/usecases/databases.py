"""Databases of a cluster."""

from __future__ import annotations

from uuid import UUID

from poolkeeper.domain.clusters import DEFAULT_DATABASE
from poolkeeper.domain.databases import Database, check_database_unused
from poolkeeper.domain.errors import NotFound
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.names import parse_database_name
from poolkeeper.store import clusters, databases, events, pools
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.attempts import Attempt
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import Intent, await_in_force, await_online, require_cluster
from poolkeeper.usecases.repeats import commit_or_await, demand_repetition, note_creation


def list_databases(context: Context, cluster_id: UUID) -> list[Database]:
    """The cluster's databases. Raises NotFound."""
    with context.store.read() as tx:
        require_cluster(tx, cluster_id)
        return databases.list_databases(tx, cluster_id)


def get_database(context: Context, cluster_id: UUID, name: str) -> Database:
    """One database. Raises NotFound."""
    for database in list_databases(context, cluster_id):
        if database.name == name:
            return database
    raise NotFound("not found")


def create_database(
    context: Context, actor: str, cluster_id: UUID, name: str, *, attempt: Attempt | None = None
) -> Database:
    """Create a database, owned by ``doadmin``, and return once it is there.

    One that ``CREATE DATABASE`` made before is taken in as it is.
    Raises NotFound, NotReady, InvalidRequest, Unavailable.
    """
    parse_database_name(name)
    await_online(context, cluster_id)

    def commit() -> tuple[Database, int | None]:
        with context.store.write() as tx:
            require_cluster(tx, cluster_id)
            for found in databases.list_databases(tx, cluster_id):
                if found.name == name:
                    demand_repetition(context, tx, attempt, _intent(cluster_id, found))
                    return found, None
            created = Database(name, clusters.bump_generation(tx, cluster_id))
            databases.put_database(tx, cluster_id, name, created.generation)
            note_creation(context, tx, attempt, _intent(cluster_id, created))
            event = Event(EventKind.DATABASE_CREATE, actor, name, cluster_id)
            return created, events.add_event(tx, event)

    database, event_id = commit_or_await(context, commit)

    def withdraw(tx: Transaction) -> None:
        # Forgotten, not dropped: if it was there before, it holds somebody's data.
        if database in databases.list_all_databases(tx, cluster_id):
            databases.forget_database(tx, cluster_id, name)
            clusters.bump_generation(tx, cluster_id)

    await_in_force(context, actor, _intent(cluster_id, database, event_id), withdraw)
    return database


def delete_database(context: Context, actor: str, cluster_id: UUID, name: str) -> None:
    """Drop a database, with its sessions. Raises NotFound, InvalidRequest, Unavailable."""
    await_online(context, cluster_id)
    with context.store.write() as tx:
        require_cluster(tx, cluster_id)
        if all(item.name != name for item in databases.list_databases(tx, cluster_id)):
            raise NotFound("not found")
        check_database_unused(name, DEFAULT_DATABASE, pools.list_pools(tx, cluster_id))
        generation = clusters.bump_generation(tx, cluster_id)
        databases.mark_database_deleted(tx, cluster_id, name, generation)
        event_id = events.add_event(tx, Event(EventKind.DATABASE_DELETE, actor, name, cluster_id))

    def withdraw(tx: Transaction) -> None:
        gone = Database(name, generation, deleted=True)
        if gone in databases.list_all_databases(tx, cluster_id):
            databases.put_database(tx, cluster_id, name, clusters.bump_generation(tx, cluster_id))

    intent = Intent(cluster_id, f"database:{name}", generation, event_id)
    await_in_force(context, actor, intent, withdraw)


def _intent(cluster_id: UUID, database: Database, event_id: int | None = None) -> Intent:
    return Intent(cluster_id, f"database:{database.name}", database.generation, event_id)
