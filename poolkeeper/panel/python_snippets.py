"""Pieces of code for Python: psycopg, SQLAlchemy, Django, asyncpg."""

from __future__ import annotations

from poolkeeper.domain.connection_formats import CA_FILE, SSLMODE
from poolkeeper.domain.connections import Connection
from poolkeeper.domain.pools import PoolMode
from poolkeeper.panel.snippet_parts import (
    Snippet,
    choose_notes,
    quote_password,
    quote_text,
    quote_user,
)


def write_psycopg(connection: Connection, mode: PoolMode | None) -> Snippet:
    autocommit = "\n    autocommit=True," if mode is PoolMode.STATEMENT else ""
    code = f"""import psycopg

with psycopg.connect(
    host={quote_text(connection.host)},
    port={connection.port},
    dbname={quote_text(connection.database)},
    user={quote_user(connection)},
    password={quote_password(connection)},
    sslmode="{SSLMODE}",
    sslrootcert="{CA_FILE}",{autocommit}
) as connection:
    print(connection.execute("select current_user, current_database()").fetchone())
"""
    notes = choose_notes(
        mode,
        transaction=(
            "Prepared statements work as they are with libpq 17 or newer, which psycopg[binary] 3.3"
            " has. With an older one psycopg deallocates them in SQL, which a pool does not follow:"
            " set prepare_threshold=None there.",
        ),
        statement=("autocommit=True: without it psycopg begins a transaction.",),
    )
    return Snippet("psycopg", "psycopg", code, notes)


def write_sqlalchemy(connection: Connection, mode: PoolMode | None) -> Snippet:
    options = ', isolation_level="AUTOCOMMIT", use_native_hstore=False'
    autocommit = options if mode is PoolMode.STATEMENT else ""
    code = f"""from sqlalchemy import URL, create_engine, text

url = URL.create(
    "postgresql+psycopg",
    host={quote_text(connection.host)},
    port={connection.port},
    database={quote_text(connection.database)},
    username={quote_user(connection)},
    password={quote_password(connection)},
    query={{"sslmode": "{SSLMODE}", "sslrootcert": "{CA_FILE}"}},
)
engine = create_engine(url{autocommit})
with engine.connect() as connection:
    print(connection.execute(text("select current_user, current_database()")).one())
"""
    notes = choose_notes(
        mode,
        transaction=(
            "SQLAlchemy's own pool on top is fine: a connection it keeps idle holds no backend.",
            "Prepared statements: as for psycopg.",
        ),
        session=(
            "Each connection that SQLAlchemy's own pool keeps holds a backend: choose pool_size and"
            " max_overflow within the size of this pool, or poolclass=NullPool.",
        ),
        statement=(
            "AUTOCOMMIT: without it SQLAlchemy begins a transaction. use_native_hstore=False: it"
            " would look for hstore in a transaction of its own as it connects.",
        ),
    )
    return Snippet("sqlalchemy", "SQLAlchemy", code, notes)


def write_django(connection: Connection, mode: PoolMode | None) -> Snippet:
    pooled = mode in (PoolMode.TRANSACTION, PoolMode.STATEMENT)
    cursors = '\n        "DISABLE_SERVER_SIDE_CURSORS": True,' if pooled else ""
    code = f"""DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "HOST": {quote_text(connection.host)},
        "PORT": {connection.port},
        "NAME": {quote_text(connection.database)},
        "USER": {quote_user(connection)},
        "PASSWORD": {quote_password(connection)},
        "OPTIONS": {{"sslmode": "{SSLMODE}", "sslrootcert": "{CA_FILE}"}},{cursors}
    }}
}}
"""
    notes = choose_notes(
        mode,
        transaction=(
            "DISABLE_SERVER_SIDE_CURSORS: QuerySet.iterator() would use a WITH HOLD cursor, which"
            " belongs to one backend.",
            "Django leaves prepared statements of psycopg 3 off; here you may turn them on with"
            " prepare_threshold in OPTIONS.",
            "Run migrations over the direct connection.",
        ),
        session=("With CONN_MAX_AGE above 0, each worker holds a backend all the time.",),
        statement=("Whatever uses atomic() fails: Django's admin and migrations do.",),
    )
    return Snippet("django", "Django", code, notes)


def write_asyncpg(connection: Connection, mode: PoolMode | None) -> Snippet:
    code = f"""import asyncio
import ssl

import asyncpg


async def main() -> None:
    connection = await asyncpg.connect(
        host={quote_text(connection.host)},
        port={connection.port},
        database={quote_text(connection.database)},
        user={quote_user(connection)},
        password={quote_password(connection)},
        ssl=ssl.create_default_context(cafile="{CA_FILE}"),
    )
    print(await connection.fetchrow("select current_user, current_database()"))
    await connection.close()


asyncio.run(main())
"""
    prepared = (
        "Its statement cache works as it is: statement_cache_size=0, which older advice has,"
        " is not needed here."
    )
    notes = choose_notes(
        mode,
        transaction=(prepared, "add_listener() needs the direct connection."),
        statement=(prepared, "connection.transaction() is refused."),
    )
    return Snippet("asyncpg", "asyncpg", code, notes)
