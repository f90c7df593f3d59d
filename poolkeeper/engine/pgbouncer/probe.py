"""A real login through a pool, as a client would: the proof that it can be used."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from poolkeeper.domain.errors import Refused, Unavailable


@dataclass(frozen=True)
class Target:
    """Where and as whom to log in; ``ca_file`` is what the server's certificate is held against."""

    host: str
    port: int
    database: str
    user: str
    password: str
    ca_file: str


def probe_login(target: Target, *, timeout: int = 5) -> None:
    """Log in over TCP and TLS and leave again.

    PgBouncer answers the first login of a new pool only once PostgreSQL has let it in, so
    this shows database, user and rights as well. Raises Refused with PostgreSQL's words,
    Unavailable if it cannot be told now.
    """
    try:
        psycopg.connect(
            host=target.host,
            port=target.port,
            dbname=target.database,
            user=target.user,
            password=target.password,
            sslmode="verify-ca",
            sslrootcert=target.ca_file,
            connect_timeout=timeout,
            application_name="poolkeeper probe",
            autocommit=True,
        ).close()
    except psycopg.errors.ConnectionTimeout as error:
        raise Unavailable(f"a login through the pool took longer than {timeout} s") from error
    except psycopg.Error as error:
        raise Refused(f"a login through the pool failed: {_describe(error)}") from error


def _describe(error: psycopg.Error) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    return fatal[-1] if fatal else (lines[0] if lines else type(error).__name__)
