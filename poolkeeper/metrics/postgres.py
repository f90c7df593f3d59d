"""One cluster's PostgreSQL, as its statistics views tell."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict

import psycopg

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.samples import Values
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres.activity import (
    Connections,
    read_activity,
    read_database_bytes,
)
from poolkeeper.engine.postgres.connections import Connection, connect
from poolkeeper.metrics.rates import Rates

_CONNECT_TIMEOUT = 2
_ANSWER_TIMEOUT = 2.0
_SIZE_TIMEOUT = 30.0


class PostgresSource:
    """Keeps a connection for replication: it is none of those that pools are promised."""

    def __init__(self, paths: ClusterPaths) -> None:
        self._paths = paths
        self._connection: Connection | None = None
        self._rates = Rates()
        self._started_at = ""

    def read(self, desired: Desired) -> Values:
        """What goes on now. Raises EngineError."""
        if self._connection is None:
            self._connection = _connect(self._paths, desired)
        try:
            activity = read_activity(self._connection, _ANSWER_TIMEOUT)
        except EngineError:
            self.close()
            raise
        if activity.started_at != self._started_at:
            self._started_at = activity.started_at
            self._rates.forget()
        grown = self._rates.advance(time.monotonic(), asdict(activity.work))
        rates = {f"{name}_per_second": rate for name, rate in grown.items()}
        return {**rates, **_describe(activity.connections)}

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None


class SizeSource:
    """The size of all databases of users. Takes as long as there are files; so it has a
    connection of its own each time, and nobody waits for it."""

    def __init__(self, paths: ClusterPaths) -> None:
        self._paths = paths

    def read(self, desired: Desired) -> Values:
        """Raises EngineError."""
        with contextlib.closing(_connect(self._paths, desired)) as connection:
            return {"database_bytes": read_database_bytes(connection, _SIZE_TIMEOUT)}

    def close(self) -> None:
        """Nothing is kept open."""


def _connect(paths: ClusterPaths, desired: Desired) -> Connection:
    port, password = desired.cluster.ports.direct, desired.superuser_password
    # A gap in the charts is better than one backend less for the pools.
    return connect(paths, port, password, timeout=_CONNECT_TIMEOUT, is_needed=False)


def _describe(seen: Connections) -> dict[str, float | None]:
    taken = seen.pooled + seen.direct + seen.own
    return {
        "connections_pooled": seen.pooled,
        "connections_direct": seen.direct,
        "connections_own": seen.own,
        "connections_reserved": seen.reserved,
        "connections_free": max(seen.most - seen.reserved - taken, 0),
        "connections_max": seen.most,
        "connections_active": seen.active,
        "connections_idle_in_transaction": seen.idle_in_transaction,
        "connections_waiting_for_lock": seen.waiting_for_lock,
        "longest_xact_seconds": seen.longest_xact_seconds,
    }
