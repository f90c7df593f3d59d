"""PostgreSQL's backends of a cluster, seen and ended as its superuser."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import psycopg

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.pools import Pool
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres import backends, roles
from poolkeeper.engine.postgres.connections import Connection, connect


class Backends:
    """One superuser connection, made when needed; it takes a reserved slot, never a pool's."""

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

    def refuse_pools(self, desired: Desired, pools: Sequence[Pool]) -> Mapping[str, str]:
        """Pools whose user may not connect to their database, with the reason."""
        if not pools:
            return {}
        with _translated():
            connection = self.connect(desired)
            return {
                pool.name: (
                    f"user {pool.shape.user!r} may not connect to database {pool.shape.db!r};"
                    f' GRANT CONNECT ON DATABASE "{pool.shape.db}" TO "{pool.shape.user}"'
                )
                for pool in pools
                if pool.shape.user is not None
                and not roles.may_connect(connection, pool.shape.user, pool.shape.db)
            }


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise EngineError(f"PostgreSQL: {str(error).strip().splitlines()[0]}") from error
