"""PgBouncer's admin console, read by column name: columns come and go with its versions."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psycopg
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from poolkeeper.domain.errors import ConsoleUnreachable, ReloadRefused
from poolkeeper.domain.names import CONSOLE_DATABASE
from poolkeeper.domain.status import PoolLoad
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.binary import Version, parse_version
from poolkeeper.engine.pgbouncer.render import CONSOLE_USER

_CONNECT_TIMEOUT = 3
# Nothing that is asked here takes long; a process that hangs must not hang who asks.
_ANSWER_TIMEOUT = 5.0

Row = Mapping[str, str | None]


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


class _Rejected(Exception):
    """The console answered with an error."""


class Console:
    """One connection to the console of one process; simple queries only (usage.md).

    Whatever fails with ConsoleUnreachable leaves nothing to be done but to close it.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
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
        return parse_version(_read(rows[0], "version"), "PgBouncer's console")

    def reload(self) -> None:
        """Read the files again. Raises ReloadRefused (PgBouncer ≥ 1.25 says so; compare
        list_entries in any case), ConsoleUnreachable."""
        try:
            self._execute("RELOAD")
        except _Rejected as error:
            raise ReloadRefused(f"PgBouncer refused its files: {error}") from error

    def ask_pause(self, name: str) -> None:
        """Hold back a pool's queries, without waiting for the answer, which comes once no
        transaction runs: nothing more can be asked on this connection. The pool stays paused
        when it is closed. Names are checked by domain.names, so that quoting suffices. Raises
        ConsoleUnreachable."""
        try:
            self._connection.pgconn.send_query(f'PAUSE "{name}"'.encode())
        except psycopg.Error as error:
            raise ConsoleUnreachable(f"PgBouncer's console: {_first_line(error)}") from error

    def resume(self, name: str) -> None:
        """Let a paused pool go on. Raises ConsoleUnreachable."""
        self._command(f'RESUME "{name}"')

    def reconnect(self, name: str) -> None:
        """Close each backend of a pool as soon as it is let go. Raises ConsoleUnreachable."""
        self._command(f'RECONNECT "{name}"')

    def list_entries(self) -> dict[str, ServedEntry]:
        """``SHOW DATABASES``, without the console's own. Raises ConsoleUnreachable."""
        return {
            _read(row, "name"): ServedEntry(
                name=_read(row, "name"),
                db=_read(row, "database"),
                mode=row.get("pool_mode"),
                size=_count(row, "pool_size"),
                max_connections=_count(row, "max_connections"),
                backends=_count(row, "current_connections"),
                clients=_count(row, "current_client_connections"),
                paused=_count(row, "paused") > 0,
            )
            for row in self._query("SHOW DATABASES")
            if row["name"] != CONSOLE_DATABASE
        }

    def read_settings(self) -> dict[str, str]:
        """``SHOW CONFIG``: what the process runs with, by name. Raises ConsoleUnreachable."""
        return {str(row["key"]): row["value"] or "" for row in self._query("SHOW CONFIG")}

    def list_loads(self) -> dict[str, PoolLoad]:
        """``SHOW POOLS``, summed over the users of each pool. Raises ConsoleUnreachable."""
        loads: dict[str, PoolLoad] = {}
        for row in self._query("SHOW POOLS"):
            name = _read(row, "database")
            if name != CONSOLE_DATABASE:
                loads[name] = _add(loads.get(name), _load(row))
        return loads

    def list_totals(self) -> dict[str, PoolTotals]:
        """``SHOW STATS``, its totals. Raises ConsoleUnreachable."""
        return {
            _read(row, "database"): PoolTotals(
                xacts=_count(row, "total_xact_count"),
                queries=_count(row, "total_query_count"),
                assignments=_count(row, "total_server_assignment_count"),
                received_bytes=_count(row, "total_received"),
                sent_bytes=_count(row, "total_sent"),
                xact_seconds=_count(row, "total_xact_time") / 1_000_000,
                query_seconds=_count(row, "total_query_time") / 1_000_000,
                wait_seconds=_count(row, "total_wait_time") / 1_000_000,
            )
            for row in self._query("SHOW STATS")
            if row["database"] != CONSOLE_DATABASE
        }

    def count_logins(self, names: Collection[str]) -> int:
        """Backends of these pools that are logging in right now. Raises ConsoleUnreachable."""
        rows = self._query("SHOW POOLS")
        return sum(_count(row, "sv_login") for row in rows if row["database"] in names)

    def list_backend_pids(self, name: str) -> list[int]:
        """PostgreSQL's pids of a pool's backends. Raises ConsoleUnreachable."""
        rows = self._query("SHOW SERVERS")
        pids = [_count(row, "remote_pid") for row in rows if row["database"] == name]
        return [pid for pid in pids if pid > 0]

    def list_client_addresses(self) -> dict[int, str]:
        """The address of each client by its id, but for those that come over the Unix socket.

        One that is still logging in is not there. Raises ConsoleUnreachable.
        """
        rows = self._query("SHOW CLIENTS")
        return {_count(row, "id"): _read(row, "addr") for row in rows if row["addr"] != "unix"}

    def list_clients(self) -> list[ServedClient]:
        """``SHOW CLIENTS``, without the console's own. Raises ConsoleUnreachable.

        PgBouncer answers at a stretch, and serves nobody meanwhile: 2 ms for 1,000 clients.
        """
        names = ("database", "application_name", "state", "wait", "wait_us")
        return [
            ServedClient(
                pool=_read(row, "database"),
                application=_read(row, "application_name"),
                state=_read(row, "state"),
                wait_seconds=_count(row, "wait") + _count(row, "wait_us") / 1_000_000,
            )
            for row in self._query("SHOW CLIENTS", names)
            if row["database"] != CONSOLE_DATABASE
        ]

    def kill_client(self, id: int) -> None:
        """Cut a client; fine if it has gone by itself. Raises ConsoleUnreachable."""
        try:
            self._execute(f"KILL_CLIENT {id}")
        except _Rejected as error:
            if "not found" not in str(error):
                raise ConsoleUnreachable(f"PgBouncer's console: {error}") from error

    def _command(self, text: str) -> None:
        try:
            self._execute(text)
        except _Rejected as error:
            raise ConsoleUnreachable(f"PgBouncer's console: {error}") from error

    def _query(self, text: str, names: Collection[str] = ()) -> list[Row]:
        """The rows; of the columns only these, if some are named."""
        try:
            return _read_rows(self._execute(text), names)
        except _Rejected as error:
            raise ConsoleUnreachable(f"PgBouncer's console: {error}") from error

    def _execute(self, text: str) -> PGresult:
        """Raises _Rejected, ConsoleUnreachable."""
        pgconn = self._connection.pgconn
        try:
            pgconn.send_query(text.encode())
            result = _await_result(pgconn, time.monotonic() + _ANSWER_TIMEOUT)
        except psycopg.Error as error:
            raise ConsoleUnreachable(f"PgBouncer's console: {_first_line(error)}") from error
        if result.status == ExecStatus.FATAL_ERROR:
            text = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode()
            raise _Rejected(text)
        return result


def _await_result(pgconn: PGconn, deadline: float) -> PGresult:
    """The result of what was sent. Raises psycopg.Error, ConsoleUnreachable."""
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    last = None
    while True:
        while pgconn.is_busy():
            if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
                raise ConsoleUnreachable(
                    f"PgBouncer's console does not answer within {_ANSWER_TIMEOUT:g} s"
                )
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            break
        last = result
    if last is None or pgconn.status != ConnStatus.OK:
        raise ConsoleUnreachable("PgBouncer's console closed the connection")
    return last


def _read_rows(result: PGresult, wanted: Collection[str]) -> list[Row]:
    names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    columns = [(column, name) for column, name in enumerate(names) if not wanted or name in wanted]
    return [
        {name: _decode(result.get_value(row, column)) for column, name in columns}
        for row in range(result.ntuples)
    ]


def _decode(value: bytes | None) -> str | None:
    # What clients call themselves may be no text at all.
    return None if value is None else value.decode(errors="replace")


def _read(row: Row, name: str) -> str:
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
