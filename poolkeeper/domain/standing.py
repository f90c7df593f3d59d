"""Where a cluster stands, whole: what is wanted, what is, and who holds what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.status import ClusterState, PoolClients, PoolLoad, PoolState, ServerProcess


@dataclass(frozen=True)
class ClusterDetail:
    """A cluster, its live pools, their states by pool id, what is held of its budget by a
    pool's name, and what was last seen of its processes and, by name, of its pools' load and
    clients."""

    cluster: Cluster
    state: ClusterState | None
    pools: Sequence[Pool]
    pool_states: Mapping[int, PoolState]
    held: Mapping[str, int]
    processes: tuple[ServerProcess, ...]
    loads: Mapping[str, PoolLoad]
    clients: Mapping[str, PoolClients] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterSummary:
    """What a list of clusters says of one: how many live pools it has, what all its pools hold
    of the budget, and their load by name."""

    cluster: Cluster
    state: ClusterState | None
    pools: int
    held: int
    loads: Mapping[str, PoolLoad]
