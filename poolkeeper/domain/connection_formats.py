"""A connection written down for people and programs: parameters, a URI, a line for psql.

All of them ask for ``verify-full``: the connection is encrypted, and the certificate must be
by Poolkeeper's authority and for that host. https://www.postgresql.org/docs/current/libpq-ssl.html
"""

from __future__ import annotations

import shlex
from urllib.parse import quote

from poolkeeper.domain.connections import PROTOCOL, Connection

SSLMODE = "verify-full"
# What the authority's certificate is saved as, beside the program that connects.
CA_FILE = "poolkeeper-ca.crt"

# Stand where the reader has to put something; no format has to quote them.
YOUR_USER = "YOUR_USER"
YOUR_PASSWORD = "YOUR_PASSWORD"


def list_parameters(connection: Connection) -> tuple[tuple[str, str], ...]:
    """Names as DigitalOcean writes them, each with its value, as it is: nothing is quoted."""
    return (
        ("username", connection.user or YOUR_USER),
        ("password", connection.password or YOUR_PASSWORD),
        ("host", connection.host),
        ("port", str(connection.port)),
        ("database", connection.database),
        ("sslmode", SSLMODE),
        ("sslrootcert", CA_FILE),
    )


def write_parameters(connection: Connection) -> str:
    """One parameter on each line."""
    parameters = list_parameters(connection)
    width = max(len(name) for name, _ in parameters)
    return "\n".join(f"{name.ljust(width)} = {value}" for name, value in parameters)


def write_uri(connection: Connection, *, query: bool = True) -> str:
    """What libpq, and so psql and most drivers, take as one string; percent-encoded.

    ``query``: with sslmode and sslrootcert, which not every driver takes from there.
    """
    user = quote(connection.user or YOUR_USER, safe="")
    password = quote(connection.password or YOUR_PASSWORD, safe="")
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    database = quote(connection.database, safe="")
    uri = f"{PROTOCOL}://{user}:{password}@{host}:{connection.port}/{database}"
    return f"{uri}?sslmode={SSLMODE}&sslrootcert={CA_FILE}" if query else uri


def write_psql(connection: Connection) -> str:
    """A line for a POSIX shell. Without a password psql asks for it."""
    words = [f"PGPASSWORD={shlex.quote(connection.password)}"] if connection.password else []
    words += [f"PGSSLMODE={SSLMODE}", f"PGSSLROOTCERT={CA_FILE}", "psql"]
    for flag, value in (
        ("-U", connection.user or YOUR_USER),
        ("-h", connection.host),
        ("-p", str(connection.port)),
        ("-d", connection.database),
    ):
        words += [flag, shlex.quote(value)]
    return " ".join(words)
