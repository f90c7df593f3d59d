"""What goes on in a PostgreSQL: its statistics views, asked in one go and within a deadline.

Asked over a connection for replication, since these are none of ``max_connections``: only
simple queries can be sent, and every value comes as text.
"""

from __future__ import annotations

import select
import time
from dataclasses import dataclass

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.names import SUPERUSER
from poolkeeper.engine.postgres.connections import Connection

# The control plane's own work is in the database postgres, and none of a user's.
_OURS = "('postgres', 'template0', 'template1')"

_WORK = f"""
SELECT sum(xact_commit + xact_rollback) AS xacts, sum(xact_rollback) AS rollbacks,
       sum(blks_hit) AS blocks_hit, sum(blks_read) AS blocks_read,
       sum(temp_bytes) AS temp_bytes, sum(deadlocks) AS deadlocks,
       pg_catalog.pg_postmaster_start_time() AS started_at
  FROM pg_catalog.pg_stat_database WHERE datname NOT IN {_OURS}
"""
# As in ``backends``: what comes over the Unix socket is PgBouncer's, but for the superuser's.
_CONNECTIONS = f"""
SELECT count(*) FILTER (WHERE client_addr IS NULL AND usename <> '{SUPERUSER}') AS pooled,
       count(*) FILTER (WHERE client_addr IS NOT NULL) AS direct,
       count(*) FILTER (WHERE client_addr IS NULL AND usename = '{SUPERUSER}') AS own,
       count(*) FILTER (WHERE state = 'active') AS active,
       count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction,
       count(*) FILTER (WHERE state = 'active' AND wait_event_type = 'Lock')
           AS waiting_for_lock,
       COALESCE(EXTRACT(EPOCH FROM max(pg_catalog.clock_timestamp() - xact_start)), 0)
           AS longest_xact_seconds,
       pg_catalog.current_setting('max_connections') AS most,
       pg_catalog.current_setting('superuser_reserved_connections') AS reserved
  FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'
"""
_SIZE = f"""
SELECT COALESCE(sum(pg_catalog.pg_database_size(oid)), 0) AS bytes
  FROM pg_catalog.pg_database WHERE datname NOT IN {_OURS}
"""


@dataclass(frozen=True)
class Work:
    """Totals over all databases of users, since the statistics were last reset."""

    xacts: int
    rollbacks: int
    blocks_hit: int
    blocks_read: int
    temp_bytes: int
    deadlocks: int


@dataclass(frozen=True)
class Connections:
    """Client connections by where they come from, and by what they do.

    ``own``: the control plane's own that count in ``most``, which is ``max_connections``.
    ``longest_xact_seconds``: the age of the oldest open transaction, 0 if there is none.
    """

    pooled: int
    direct: int
    own: int
    active: int
    idle_in_transaction: int
    waiting_for_lock: int
    longest_xact_seconds: float
    most: int
    reserved: int


@dataclass(frozen=True)
class Activity:
    """``started_at``: the server's, as it words it; another one is another server."""

    work: Work
    connections: Connections
    started_at: str


def read_activity(connection: Connection, timeout: float) -> Activity:
    """What goes on now. Raises EngineError; the connection is of no use then."""
    work, connections = _ask(connection, f"{_WORK};{_CONNECTIONS}", timeout)
    started_at = work.pop("started_at")
    seconds = float(connections.pop("longest_xact_seconds"))
    return Activity(
        Work(**{name: int(text or 0) for name, text in work.items()}),
        Connections(
            longest_xact_seconds=max(seconds, 0.0),
            **{name: int(text) for name, text in connections.items()},
        ),
        started_at,
    )


def read_database_bytes(connection: Connection, timeout: float) -> int:
    """What all databases of users take on disk; each file is looked at, so ask now and then.

    Raises EngineError, as read_activity.
    """
    [row] = _ask(connection, _SIZE, timeout)
    return int(row["bytes"])


def _ask(connection: Connection, text: str, timeout: float) -> list[dict[str, str]]:
    """The first row of each statement's result, by column; NULL is empty."""
    deadline = time.monotonic() + timeout
    pgconn = connection.pgconn
    rows: list[dict[str, str]] = []
    try:
        pgconn.send_query(text.encode())
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN)
        while True:
            while pgconn.is_busy():
                if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
                    raise EngineError(f"PostgreSQL does not answer within {timeout:g} s")
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                return rows
            if result.status != ExecStatus.TUPLES_OK:
                raise EngineError(f"PostgreSQL: {result.error_message.decode().strip()}")
            rows.append(_read_first_row(result))
    except psycopg.Error as error:
        raise EngineError(f"PostgreSQL: {str(error).strip()}") from error


def _read_first_row(result: PGresult) -> dict[str, str]:
    return {
        (result.fname(column) or b"").decode(): (result.get_value(0, column) or b"").decode()
        for column in range(result.nfields)
    }
