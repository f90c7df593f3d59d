"""The databases of a cluster, by SQL that may be repeated; psycopg's errors pass through."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from psycopg.errors import DuplicateDatabase

from poolkeeper.domain.clusters import DEFAULT_USER
from poolkeeper.engine.postgres.backends import end_database_sessions
from poolkeeper.engine.postgres.connections import Connection


@dataclass(frozen=True)
class DatabaseFacts:
    """A database as observed."""

    name: str
    owner: str


def list_databases(connection: Connection) -> dict[str, DatabaseFacts]:
    """All databases by name, but for templates."""
    rows = connection.execute(
        "SELECT datname, pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database"
        " WHERE NOT datistemplate"
    )
    return {name: DatabaseFacts(name, owner) for name, owner in rows}


def ensure_database(connection: Connection, name: str) -> bool:
    """See to it that the database is there; True if it was made.

    It belongs to the primary user. Who may connect and create is left as PostgreSQL has it:
    everyone may connect; from 15 on, only the owner may create in the schema ``public``.
    """
    if name in list_databases(connection):
        return False
    # template0, because up to 14 everyone may put things into template1.
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
        sql.Identifier(name), sql.Identifier(DEFAULT_USER)
    )
    try:
        connection.execute(statement)
    except DuplicateDatabase:
        return False
    return True


def drop_database(connection: Connection, name: str) -> None:
    """Drop the database with all that is in it; its sessions are ended.

    Fine if it is gone already. A subscription or a prepared transaction in it stands
    against it, and PostgreSQL's error says so. Raises ProcessFailed if a session does not end.
    """
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    # FORCE leaves a logical replication slot that is being read, and then refuses.
    end_database_sessions(connection, name)
    connection.execute(statement)


def ensure_statistics(connection: Connection) -> bool:
    """Make ``pg_stat_statements`` in this connection's database; True if it was not there."""
    row = connection.execute(
        "SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements'"
    ).fetchone()
    if row is None:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")
    return row is None
