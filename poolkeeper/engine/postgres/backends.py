"""Backends: what they are at, and how to end some for certain.

psycopg's errors pass through.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import LiteralString

from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.domain.names import SUPERUSER
from poolkeeper.engine.postgres.connections import Connection

_TIMEOUT = 5.0
_POLL = 0.01

_POOL_BACKENDS = """
SELECT pid, backend_start FROM pg_catalog.pg_stat_activity
 WHERE backend_type = 'client backend' AND client_addr IS NULL AND usename <> %(name)s
"""
_USER_SESSIONS = """
SELECT pid, backend_start FROM pg_catalog.pg_stat_activity
 WHERE usename = %(name)s AND backend_type IN ('client backend', 'walsender')
"""
_DATABASE_SESSIONS = """
SELECT pid, backend_start FROM pg_catalog.pg_stat_activity
 WHERE datname = %(name)s AND backend_type IN ('client backend', 'walsender')
   AND pid <> pg_catalog.pg_backend_pid()
"""
_OUTSIDE_SESSIONS = """
SELECT pid, backend_start FROM pg_catalog.pg_stat_activity
 WHERE client_addr IS NOT NULL AND backend_type IN ('client backend', 'walsender')
   AND NOT client_addr <<= ANY (%(networks)s::pg_catalog.cidr[])
"""


_TRANSACTIONS = """
SELECT pid, extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)::float8
  FROM pg_catalog.pg_stat_activity
 WHERE backend_type = 'client backend' AND xact_start IS NOT NULL
   AND pid <> pg_catalog.pg_backend_pid()
"""


def list_transactions(connection: Connection) -> dict[int, float]:
    """The transactions of clients that are open now: their age in seconds, by pid."""
    return dict(connection.execute(_TRANSACTIONS).fetchall())


def write_checkpoint(connection: Connection) -> None:
    """Have all that is changed written to the data files, so that a stop has little to write."""
    connection.execute("CHECKPOINT")


def terminate_pool_backends(connection: Connection, pids: Collection[int] | None = None) -> int:
    """End backends that came over the Unix socket, but the superuser's; return how many.

    All of them, or those of ``pids``. For a pooler that is dead: what it left behind would
    still count against the budget when its successor opens its own. Returns when they are
    gone; raises ProcessFailed if one stays.
    """
    return _end(connection, _POOL_BACKENDS, {"name": SUPERUSER}, pids)


def end_user_sessions(connection: Connection, name: str) -> int:
    """End all sessions of a user; as terminate_pool_backends."""
    return _end(connection, _USER_SESSIONS, {"name": name})


def end_database_sessions(connection: Connection, name: str) -> int:
    """End all sessions in a database, but this one; as terminate_pool_backends."""
    return _end(connection, _DATABASE_SESSIONS, {"name": name})


def end_outside_sessions(connection: Connection, networks: Collection[str]) -> int:
    """End all sessions, replicas' too, that come over the network from none of these.

    As terminate_pool_backends.
    """
    return _end(connection, _OUTSIDE_SESSIONS, {"networks": list(networks)})


def _end(
    connection: Connection,
    query: LiteralString,
    values: Mapping[str, object],
    pids: Collection[int] | None = None,
) -> int:
    """New ones that come while we wait are not ended: the caller has to shut the door first."""
    left = {row for row in _find(connection, query, values) if pids is None or row[0] in pids}
    ended = len(left)
    for pid, _ in left:
        connection.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
    deadline = time.monotonic() + _TIMEOUT
    # Known by pid and start: the pid alone may be another's by now.
    while left := left & _find(connection, query, values):
        if time.monotonic() > deadline:
            named = ", ".join(str(pid) for pid, _ in sorted(left))
            raise ProcessFailed(f"backends do not end within {_TIMEOUT:g} s: pid {named}")
        time.sleep(_POLL)
    return ended


def _find(
    connection: Connection, query: LiteralString, values: Mapping[str, object]
) -> set[tuple[int, datetime]]:
    rows = connection.execute(query, values).fetchall()
    return {(pid, backend_start) for pid, backend_start in rows}
