"""PgBouncer's admin console: what is asked there, and told."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Collection

import psycopg
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from poolkeeper.domain.errors import ConsoleUnreachable, ReloadRefused
from poolkeeper.domain.names import CONSOLE_DATABASE
from poolkeeper.domain.status import PoolLoad
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer import shown
from poolkeeper.engine.pgbouncer.binary import Version, parse_version
from poolkeeper.engine.pgbouncer.render import CONSOLE_USER
from poolkeeper.engine.pgbouncer.shown import PoolTotals, Row, ServedClient, ServedEntry

_CONNECT_TIMEOUT = 3
# Nothing that is asked here takes long; a process that hangs must not hang who asks.
_ANSWER_TIMEOUT = 5.0


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
        return parse_version(shown.read_text(rows[0], "version"), "PgBouncer's console")

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
        """What is served, by name. Raises ConsoleUnreachable."""
        return shown.read_entries(self._query("SHOW DATABASES"))

    def read_settings(self) -> dict[str, str]:
        """``SHOW CONFIG``: what the process runs with, by name. Raises ConsoleUnreachable."""
        return {str(row["key"]): row["value"] or "" for row in self._query("SHOW CONFIG")}

    def list_loads(self) -> dict[str, PoolLoad]:
        """What goes on in each pool, all its users together. Raises ConsoleUnreachable."""
        return shown.read_loads(self._query("SHOW POOLS"))

    def list_totals(self) -> dict[str, PoolTotals]:
        """What each pool has done. Raises ConsoleUnreachable."""
        return shown.read_totals(self._query("SHOW STATS"))

    def count_logins(self, names: Collection[str]) -> int:
        """Backends of these pools that are logging in right now. Raises ConsoleUnreachable."""
        return shown.count_logins(self._query("SHOW POOLS"), names)

    def list_backend_pids(self, name: str) -> list[int]:
        """PostgreSQL's pids of a pool's backends. Raises ConsoleUnreachable."""
        return shown.read_backend_pids(self._query("SHOW SERVERS"), name)

    def list_client_addresses(self) -> dict[int, str]:
        """The address of each client by its id, but for those that come over the Unix socket.

        One that is still logging in is not there. Raises ConsoleUnreachable.
        """
        return shown.read_addresses(self._query("SHOW CLIENTS"))

    def list_client_ids(self, users: Collection[str]) -> list[int]:
        """The clients that logged in as one of these users. Raises ConsoleUnreachable."""
        return shown.read_ids(self._query("SHOW CLIENTS"), users)

    def list_clients(self) -> list[ServedClient]:
        """Every client. Raises ConsoleUnreachable.

        PgBouncer answers at a stretch, and serves nobody meanwhile: 2 ms for 1,000 clients.
        """
        return shown.read_clients(self._query("SHOW CLIENTS", shown.CLIENT_COLUMNS))

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


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
