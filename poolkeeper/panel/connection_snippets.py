"""Connecting from programs: for each of the usual drivers a piece of code, and what to know.

What is said of prepared statements is true of PgBouncer from 1.21 on with
``max_prepared_statements`` (ours: 200): it follows those that a driver prepares by protocol, in
transaction and statement mode; ``PREPARE`` and ``DEALLOCATE`` as SQL it does not follow.
"""

from __future__ import annotations

from poolkeeper.domain.connections import Connection
from poolkeeper.domain.pools import PoolMode
from poolkeeper.panel.other_snippets import (
    write_jdbc,
    write_node,
    write_pgx,
    write_prisma,
    write_rails,
)
from poolkeeper.panel.python_snippets import (
    write_asyncpg,
    write_django,
    write_psycopg,
    write_sqlalchemy,
)
from poolkeeper.panel.snippet_parts import Snippet

_WRITERS = (
    *(write_psycopg, write_sqlalchemy, write_django, write_asyncpg),
    *(write_node, write_prisma, write_jdbc, write_pgx, write_rails),
)


def list_snippets(connection: Connection, mode: PoolMode | None) -> tuple[Snippet, ...]:
    """One for each driver. ``mode`` None: the direct connection."""
    return tuple(write(connection, mode) for write in _WRITERS)
