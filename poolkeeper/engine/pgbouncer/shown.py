"""What PgBouncer's ``SHOW`` commands answer, read by column name: columns come and go with its
versions. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from poolkeeper.domain.names import CONSOLE_DATABASE
from poolkeeper.domain.status import PoolLoad, sum_loads

Row = Mapping[str, str | None]

# The columns of ``SHOW CLIENTS`` that ``read_clients`` looks at.
CLIENT_COLUMNS = ("database", "application_name", "state", "wait", "wait_us")


@dataclass(frozen=True)
class ServedEntry:
    """A ``[databases]`` entry as the process believes it, with what is open on it now."""

    name: str
    db: str
    mode: str | None
    size: int
    max_connections: int
    backends: int
    clients: int
    paused: bool


@dataclass(frozen=True)
class PoolTotals:
    """What a pool has done since PgBouncer knows it: transactions, queries, and how often a
    client got a backend; bytes of clients; seconds spent in transactions, in queries, and
    waiting for a backend. Summed up as each of them ends."""

    xacts: int
    queries: int
    assignments: int
    received_bytes: int
    sent_bytes: int
    xact_seconds: float
    query_seconds: float
    wait_seconds: float


@dataclass(frozen=True)
class ServedClient:
    """A client, as far as it matters who it is. ``state``: ``active``, ``waiting`` or ``idle``,
    and what other words a version may have."""

    pool: str
    application: str
    state: str
    wait_seconds: float


def read_entries(databases: Iterable[Row]) -> dict[str, ServedEntry]:
    """From ``SHOW DATABASES``, without the console's own."""
    return {
        read_text(row, "name"): ServedEntry(
            name=read_text(row, "name"),
            db=read_text(row, "database"),
            mode=row.get("pool_mode"),
            size=_count(row, "pool_size"),
            max_connections=_count(row, "max_connections"),
            backends=_count(row, "current_connections"),
            clients=_count(row, "current_client_connections"),
            paused=_count(row, "paused") > 0,
        )
        for row in databases
        if row["name"] != CONSOLE_DATABASE
    }


def read_loads(pools: Iterable[Row]) -> dict[str, PoolLoad]:
    """From ``SHOW POOLS``, summed over the users of each pool."""
    loads: dict[str, list[PoolLoad]] = {}
    for row in pools:
        name = read_text(row, "database")
        if name != CONSOLE_DATABASE:
            loads.setdefault(name, []).append(_load(row))
    return {name: sum_loads(of_users) for name, of_users in loads.items()}


def count_logins(pools: Iterable[Row], names: Collection[str]) -> int:
    """From ``SHOW POOLS``: backends of these pools that are logging in."""
    return sum(_count(row, "sv_login") for row in pools if row["database"] in names)


def read_totals(stats: Iterable[Row]) -> dict[str, PoolTotals]:
    """From ``SHOW STATS``."""
    return {
        read_text(row, "database"): PoolTotals(
            xacts=_count(row, "total_xact_count"),
            queries=_count(row, "total_query_count"),
            assignments=_count(row, "total_server_assignment_count"),
            received_bytes=_count(row, "total_received"),
            sent_bytes=_count(row, "total_sent"),
            xact_seconds=_count(row, "total_xact_time") / 1_000_000,
            query_seconds=_count(row, "total_query_time") / 1_000_000,
            wait_seconds=_count(row, "total_wait_time") / 1_000_000,
        )
        for row in stats
        if row["database"] != CONSOLE_DATABASE
    }


def read_backend_pids(servers: Iterable[Row], name: str) -> list[int]:
    """From ``SHOW SERVERS``: PostgreSQL's pids of a pool's backends."""
    pids = [_count(row, "remote_pid") for row in servers if row["database"] == name]
    return [pid for pid in pids if pid > 0]


def read_addresses(clients: Iterable[Row]) -> dict[int, str]:
    """From ``SHOW CLIENTS``: whence each comes by its id, but for those of the Unix socket."""
    return {_count(row, "id"): read_text(row, "addr") for row in clients if row["addr"] != "unix"}


def read_ids(clients: Iterable[Row], users: Collection[str]) -> list[int]:
    """From ``SHOW CLIENTS``: the ids of those that logged in as one of these users."""
    return [_count(row, "id") for row in clients if row["user"] in users]


def read_clients(clients: Iterable[Row]) -> list[ServedClient]:
    """From ``SHOW CLIENTS``, without the console's own."""
    return [
        ServedClient(
            pool=read_text(row, "database"),
            application=read_text(row, "application_name"),
            state=read_text(row, "state"),
            wait_seconds=_count(row, "wait") + _count(row, "wait_us") / 1_000_000,
        )
        for row in clients
        if row["database"] != CONSOLE_DATABASE
    ]


def read_text(row: Row, name: str) -> str:
    """A word; empty where there is none."""
    return row[name] or ""


def _count(row: Row, name: str) -> int:
    """A number; 0 where this version has no such column, or no value in it."""
    return int(row.get(name) or 0)


def _load(row: Row) -> PoolLoad:
    return PoolLoad(
        clients_active=_count(row, "cl_active"),
        clients_waiting=_count(row, "cl_waiting"),
        backends_active=_count(row, "sv_active"),
        backends_idle=_count(row, "sv_idle") + _count(row, "sv_used"),
        maxwait_seconds=_count(row, "maxwait") + _count(row, "maxwait_us") / 1_000_000,
    )
