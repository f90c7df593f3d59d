"""A real login through a pool, as a client would: the proof that it can be used."""

from __future__ import annotations

import psycopg

from poolkeeper.domain.errors import Refused, Unavailable
from poolkeeper.domain.users import User
from poolkeeper.engine.layout import ClusterPaths

# What PgBouncer says when others keep it too busy; it tells nothing of the pool.
_BUSY = ("query_wait_timeout", "no more connections allowed")


def probe_login(
    paths: ClusterPaths, port: int, pool: str, user: User, *, index: int = 1, timeout: int = 5
) -> None:
    """Log in to a pool as that user, over the process's own Unix socket, and leave again.

    PgBouncer answers the first login of a new pool only once PostgreSQL has let it in, so
    this shows database, user, password, HBA and rights. TLS is the process's, not a pool's:
    PgBouncer does not start without it. Raises Refused with PostgreSQL's words, Unavailable
    if it cannot be told within ``timeout`` seconds.
    """
    try:
        psycopg.connect(
            host=str(paths.pooler_run(index)),
            port=port,
            dbname=pool,
            user=user.name,
            password=user.password,
            sslmode="disable",
            connect_timeout=timeout,
            application_name="poolkeeper probe",
            autocommit=True,
        ).close()
    except psycopg.errors.ConnectionTimeout as error:
        raise Unavailable(f"a login through the pool took longer than {timeout} s") from error
    except psycopg.Error as error:
        reason = f"a login through the pool failed: {_describe(error)}"
        if any(words in reason for words in _BUSY):
            raise Unavailable(reason) from error
        raise Refused(reason) from error


def _describe(error: psycopg.Error) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    return fatal[-1] if fatal else (lines[0] if lines else type(error).__name__)
