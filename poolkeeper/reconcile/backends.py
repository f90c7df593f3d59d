"""PostgreSQL's backends of a cluster, seen and ended as its superuser."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import cast

import psycopg

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.entries import Entry
from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.firewall import Network
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres import backends, roles
from poolkeeper.engine.postgres.connections import Connection, connect
from poolkeeper.engine.postgres.running import RunningFacts, read_running


class Backends:
    """One superuser connection, made when needed; it takes no slot that is promised to pools."""

    def __init__(self, paths: ClusterPaths) -> None:
        self._paths = paths
        self._connection: Connection | None = None

    def connect(self, desired: Desired) -> Connection:
        """The connection, made anew if it broke since. Raises EngineError."""
        if self._connection is None or self._connection.broken or self._connection.closed:
            self.close()
            self._connection = self.connect_to(desired, "postgres")
        return self._connection

    def connect_to(self, desired: Desired, database: str) -> Connection:
        """A connection of the caller's own. Raises EngineError."""
        port = desired.cluster.ports.direct
        return connect(self._paths, port, desired.superuser_password, database)

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def terminate_all(self, desired: Desired) -> None:
        """End every backend that a pooler opened. Raises EngineError."""
        with _translated():
            backends.terminate_pool_backends(self.connect(desired))

    def terminate(self, desired: Desired, pids: Sequence[int]) -> None:
        """End those of these backends that are a pooler's. Raises EngineError."""
        if pids:
            with _translated():
                backends.terminate_pool_backends(self.connect(desired), pids)

    def end_outsiders(self, desired: Desired, networks: Sequence[Network]) -> int:
        """End sessions that come over the network from elsewhere; how many. Raises EngineError."""
        with _translated():
            return backends.end_outside_sessions(self.connect(desired), [*map(str, networks)])

    def refuse_entries(self, desired: Desired, entries: Sequence[Entry]) -> Mapping[str, str]:
        """Pools whose user may not connect to their database, with the reason."""
        asked = [(entry.name, entry.user, entry.db) for entry in entries if entry.user]
        if not asked:
            return {}
        with _translated():
            connection = self.connect(desired)
            return {
                name: f"user {user!r} may not connect to database {db!r};"
                f' GRANT CONNECT ON DATABASE "{db}" TO "{user}"'
                for name, user, db in asked
                if not roles.may_connect(connection, user, db)
            }

    def read_running(self, desired: Desired) -> RunningFacts:
        """What PostgreSQL runs with, and what waits for a restart. Raises EngineError."""
        with _translated():
            return read_running(self.connect(desired))

    def read_load_time(self, desired: Desired) -> datetime:
        """When the server has last read its files. Raises EngineError."""
        # A new backend inherits the time from the postmaster; an old one reloads by itself.
        with _translated(), self.connect_to(desired, "postgres") as connection:
            question = "SELECT pg_catalog.pg_conf_load_time()"
            (loaded_at,) = connection.execute(question).fetchall()[0]
        return cast(datetime, loaded_at)

    def list_transactions(self, desired: Desired) -> dict[int, float]:
        """The age in seconds of each open transaction, by pid. Raises EngineError."""
        with _translated():
            return backends.list_transactions(self.connect(desired))

    def write_checkpoint(self, desired: Desired) -> None:
        """Prepare for a stop. Raises EngineError."""
        with _translated():
            backends.write_checkpoint(self.connect(desired))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise EngineError(f"PostgreSQL: {str(error).strip().splitlines()[0]}") from error
