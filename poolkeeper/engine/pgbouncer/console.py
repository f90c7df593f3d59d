"""PgBouncer's admin console, read by column name: columns come and go with its versions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from poolkeeper.domain.errors import ConsoleUnreachable, ReloadRefused
from poolkeeper.domain.names import CONSOLE_DATABASE
from poolkeeper.domain.status import PoolLoad
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.binary import Version, parse_version
from poolkeeper.engine.pgbouncer.render import CONSOLE_USER

_CONNECT_TIMEOUT = 3


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


class Console:
    """One connection to the console of one process; simple queries only (usage.md)."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self._connection = connection

    @classmethod
    def connect(cls, paths: ClusterPaths, port: int, password: str, index: int = 1) -> Console:
        """Raises ConsoleUnreachable."""
        try:
            connection = psycopg.connect(
                host=str(paths.pooler_run(index)),
                port=port,
                user=CONSOLE_USER,
                password=password,
                dbname=CONSOLE_DATABASE,
                sslmode="disable",
                connect_timeout=_CONNECT_TIMEOUT,
                application_name="poolkeeper",
                autocommit=True,
                prepare_threshold=None,
                row_factory=dict_row,
            )
        except psycopg.Error as error:
            raise ConsoleUnreachable(f"PgBouncer's console: {_first_line(error)}") from error
        return cls(connection)

    def close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self._connection.close()

    def read_version(self) -> Version:
        """What ``SHOW VERSION`` says. Raises ConsoleUnreachable."""
        rows = self._query("SHOW VERSION")
        return parse_version(str(next(iter(rows[0].values()))), "PgBouncer's console")

    def reload(self) -> None:
        """Read the files again. Raises ReloadRefused (PgBouncer ≥ 1.25 says so; compare
        list_entries in any case), ConsoleUnreachable."""
        with self._translated():
            try:
                self._connection.execute("RELOAD")
            except psycopg.OperationalError:
                raise
            except psycopg.Error as error:
                raise ReloadRefused(f"PgBouncer refused its files: {_first_line(error)}") from error

    def pause(self, name: str) -> None:
        """Hold back a pool's queries; returns once no transaction runs. Names are checked
        by domain.names, so that quoting suffices. Raises ConsoleUnreachable."""
        self._command(f'PAUSE "{name}"')

    def resume(self, name: str) -> None:
        """The opposite of pause. Raises ConsoleUnreachable."""
        self._command(f'RESUME "{name}"')

    def reconnect(self, name: str) -> None:
        """Close each backend of a pool as soon as it is let go. Raises ConsoleUnreachable."""
        self._command(f'RECONNECT "{name}"')

    def list_entries(self) -> dict[str, ServedEntry]:
        """``SHOW DATABASES``, without the console's own. Raises ConsoleUnreachable."""
        return {
            row["name"]: ServedEntry(
                name=row["name"],
                db=row["database"],
                mode=row.get("pool_mode"),
                size=int(row["pool_size"]),
                max_connections=int(row["max_connections"]),
                backends=int(row["current_connections"]),
                clients=int(row.get("current_client_connections") or 0),
                paused=bool(int(row.get("paused") or 0)),
            )
            for row in self._query("SHOW DATABASES")
            if row["name"] != CONSOLE_DATABASE
        }

    def list_loads(self) -> dict[str, PoolLoad]:
        """``SHOW POOLS``, summed over the users of each pool. Raises ConsoleUnreachable."""
        loads: dict[str, PoolLoad] = {}
        for row in self._query("SHOW POOLS"):
            if row["database"] != CONSOLE_DATABASE:
                loads[row["database"]] = _add(loads.get(row["database"]), _load(row))
        return loads

    def count_logins(self, name: str) -> int:
        """Backends of a pool that are logging in right now. Raises ConsoleUnreachable."""
        rows = self._query("SHOW POOLS")
        return sum(int(row["sv_login"]) for row in rows if row["database"] == name)

    def list_backend_pids(self, name: str) -> list[int]:
        """PostgreSQL's pids of a pool's backends. Raises ConsoleUnreachable."""
        rows = self._query("SHOW SERVERS")
        return [
            int(row["remote_pid"])
            for row in rows
            if row["database"] == name and int(row.get("remote_pid") or 0) > 0
        ]

    def _command(self, text: str) -> None:
        with self._translated():
            self._connection.execute(text.encode())

    def _query(self, text: str) -> list[dict[str, Any]]:
        with self._translated():
            return self._connection.execute(text.encode()).fetchall()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise ConsoleUnreachable(f"PgBouncer's console: {_first_line(error)}") from error


def _load(row: Mapping[str, Any]) -> PoolLoad:
    return PoolLoad(
        clients_active=int(row["cl_active"]),
        clients_waiting=int(row["cl_waiting"]),
        backends_active=int(row["sv_active"]),
        backends_idle=int(row["sv_idle"]) + int(row["sv_used"]),
        maxwait_seconds=int(row["maxwait"]) + int(row["maxwait_us"]) / 1_000_000,
    )


def _add(one: PoolLoad | None, other: PoolLoad) -> PoolLoad:
    if one is None:
        return other
    return PoolLoad(
        one.clients_active + other.clients_active,
        one.clients_waiting + other.clients_waiting,
        one.backends_active + other.backends_active,
        one.backends_idle + other.backends_idle,
        max(one.maxwait_seconds, other.maxwait_seconds),
    )


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
