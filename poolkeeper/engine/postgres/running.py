"""What a running server says of itself; psycopg's errors pass through."""

from __future__ import annotations

from dataclasses import dataclass

from poolkeeper.engine.postgres.connections import Connection


@dataclass(frozen=True)
class RunningFacts:
    """``version``: like 15.14. ``pending``: settings that wait for a restart.

    ``is_read``: all that stands in the configuration file is in force, so that a server which
    is started with it is like this one.
    """

    version: str
    max_connections: int
    pending: tuple[str, ...]
    is_read: bool


def read_running(connection: Connection) -> RunningFacts:
    """Look at the server as it runs now."""
    version, most, is_read = connection.execute(
        "SELECT pg_catalog.current_setting('server_version'),"
        " pg_catalog.current_setting('max_connections')::int,"
        " NOT EXISTS (SELECT FROM pg_catalog.pg_file_settings WHERE error IS NOT NULL)"
    ).fetchall()[0]
    rows = connection.execute(
        "SELECT name FROM pg_catalog.pg_settings WHERE pending_restart ORDER BY name"
    )
    return RunningFacts(str(version).split()[0], most, tuple(name for (name,) in rows), is_read)
