"""Connections to PostgreSQL as its superuser, over the Unix socket."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.names import SUPERUSER
from poolkeeper.engine.layout import ClusterPaths

APPLICATION_NAME = "poolkeeper"
MAINTENANCE_DATABASE = "postgres"

Connection = psycopg.Connection[tuple[Any, ...]]

# An owner may give a database settings of its own (ALTER DATABASE … SET). Ours come first:
# with no schema but pg_catalog searched, a superuser never runs what a user planted, and
# neither a lock nor a slow statement can hold the reconciler for ever. And what we ask each
# second is not to fill an owner's log.
_SESSION_SETTINGS = {
    "search_path": "",
    "lock_timeout": "10s",
    "statement_timeout": "5min",
    "idle_in_transaction_session_timeout": "5min",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read\\ committed",
    "client_min_messages": "warning",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
}


def connect(
    paths: ClusterPaths,
    port: int,
    password: str,
    dbname: str = MAINTENANCE_DATABASE,
    *,
    timeout: int = 5,
    is_needed: bool = True,
) -> Connection:
    """A connection as superuser, in autocommit. The caller closes it (``with``).

    One for replication, because these are none of ``max_connections``: there, even a
    superuser's is one less for the pools, which are promised all but the reserved ones. It
    knows simple queries only. Where replicas hold all of those, it is an ordinary one, if it
    ``is_needed``.

    Raises EngineError with PostgreSQL's reason; ``timeout`` in seconds, at least 2.
    """
    options = " ".join(f"-c {name}={value}" for name, value in _SESSION_SETTINGS.items())
    values: dict[str, Any] = {
        "host": str(paths.run),
        "port": port,
        "user": SUPERUSER,
        "password": password,
        "dbname": dbname,
        "application_name": APPLICATION_NAME,
        "connect_timeout": timeout,
        "options": options,
        "gssencmode": "disable",
        "autocommit": True,
        "cursor_factory": psycopg.ClientCursor,
    }
    try:
        try:
            return psycopg.connect(**values, replication="database")
        except psycopg.OperationalError as error:
            if not is_needed or "max_wal_senders" not in str(error):
                raise
            return psycopg.connect(**values)
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise EngineError(f"cannot connect to PostgreSQL on port {port}: {reason}") from error


def is_accepting(paths: ClusterPaths, port: int) -> bool:
    """Whether the server takes connections now; asks without logging in (PQping)."""
    conninfo = make_conninfo(
        host=str(paths.run),
        port=port,
        user=SUPERUSER,
        dbname=MAINTENANCE_DATABASE,
        connect_timeout=2,
        gssencmode="disable",
    )
    return pq.PGconn.ping(conninfo.encode()) == pq.Ping.OK
