"""What was last seen of each cluster's servers. In memory: after a restart, look again."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from poolkeeper.domain.status import PoolClients, PoolLoad, ServerProcess


class Observations:
    """The newest observation of each cluster, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: dict[UUID, tuple[ServerProcess, ...]] = {}
        self._loads: dict[UUID, Mapping[str, PoolLoad]] = {}
        self._loads_at: dict[UUID, float] = {}
        self._clients: dict[UUID, Mapping[str, PoolClients]] = {}

    def put_processes(self, cluster_id: UUID, processes: tuple[ServerProcess, ...]) -> None:
        """Replace what is known of a cluster's processes."""
        with self._lock:
            self._processes[cluster_id] = processes

    def processes(self, cluster_id: UUID) -> tuple[ServerProcess, ...]:
        """A cluster's processes; none if nothing was seen."""
        with self._lock:
            return self._processes.get(cluster_id, ())

    def put_loads(self, cluster_id: UUID, loads: Mapping[str, PoolLoad]) -> None:
        """Replace what is known of the load of a cluster's pools, by name."""
        copy = MappingProxyType(dict(loads))
        with self._lock:
            self._loads[cluster_id] = copy
            self._loads_at[cluster_id] = time.monotonic()

    def loads(self, cluster_id: UUID) -> Mapping[str, PoolLoad]:
        """The load of a cluster's pools, by name; empty if nothing was seen."""
        with self._lock:
            return self._loads.get(cluster_id, MappingProxyType({}))

    def put_clients(self, cluster_id: UUID, clients: Mapping[str, PoolClients]) -> None:
        """Replace what is known of who a cluster's clients are, by the name of their pool."""
        copy = MappingProxyType(dict(clients))
        with self._lock:
            self._clients[cluster_id] = copy

    def clients(self, cluster_id: UUID) -> Mapping[str, PoolClients]:
        """Who a cluster's clients were when that was last asked, which is seldom; a pool that
        is not there had none, or was not asked about yet."""
        with self._lock:
            return self._clients.get(cluster_id, MappingProxyType({}))

    def list_clusters(self) -> list[UUID]:
        """The clusters whose load was seen."""
        with self._lock:
            return list(self._loads)

    def saw_loads_within(self, cluster_id: UUID, seconds: float) -> bool:
        """Whether a cluster's pooler told its loads so short a time ago."""
        with self._lock:
            seen_at = self._loads_at.get(cluster_id)
            return seen_at is not None and time.monotonic() - seen_at <= seconds

    def forget(self, cluster_id: UUID) -> None:
        """A cluster is no more."""
        with self._lock:
            self._processes.pop(cluster_id, None)
            self._loads.pop(cluster_id, None)
            self._loads_at.pop(cluster_id, None)
            self._clients.pop(cluster_id, None)
