"""What the reconciler last saw and did: written by it alone, read by everyone."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from poolkeeper.domain.clusters import Cluster, ClusterStatus
from poolkeeper.domain.sizes import RESERVED_CONNECTIONS


class Phase(enum.StrEnum):
    """Where a cluster or pool stands; every phase but ACTIVE comes with a reason."""

    CREATING = "creating"
    ACTIVE = "active"
    APPLYING = "applying"
    DRAINING = "draining"
    WAITING = "waiting"
    PARKED = "parked"
    FAILED = "failed"
    DELETING = "deleting"
    DELETED = "deleted"


@dataclass(frozen=True)
class ClusterState:
    """A cluster's standing.

    ``applied_generation`` is the newest generation that is wholly in force.
    ``failed_generation`` with ``reason`` is one that could not be put in force.
    ``was_online`` says that creation came to its end once. ``pending``: what waits for a
    restart of PostgreSQL. ``restarted_generation``: the newest restart that was asked for and
    is done. ``max_connections``: what PostgreSQL runs with, 0 before that was seen.
    """

    cluster_id: UUID
    phase: Phase
    reason: str
    since: datetime
    step: str = ""
    applied_generation: int = 0
    failed_generation: int = 0
    was_online: bool = False
    pending: tuple[str, ...] = ()
    restarted_generation: int = 0
    max_connections: int = 0


def tell_status(cluster: Cluster, state: ClusterState | None) -> ClusterStatus:
    """The word of the ``/v2`` API."""
    if state is None or not state.was_online:
        return ClusterStatus.CREATING
    if cluster.resize_generation > state.restarted_generation:
        return ClusterStatus.RESIZING
    return ClusterStatus.ONLINE


def count_budget(cluster: Cluster, state: ClusterState | None) -> int:
    """Backend connections that the pools may hold together now.

    While a cluster grows it is still the smaller number: PostgreSQL has more once it has been
    restarted. While it shrinks it is the smaller one already.
    """
    if state is None or not state.max_connections:
        return cluster.budget
    return min(cluster.budget, state.max_connections - RESERVED_CONNECTIONS)


@dataclass(frozen=True)
class Failure:
    """Why a change of one subject, such as ``pool:web``, is not in force."""

    generation: int
    reason: str


@dataclass(frozen=True)
class PoolState:
    """A pool's standing. ``held``: the most backend connections it may have open now."""

    pool_id: int
    phase: Phase
    reason: str
    since: datetime
    applied_generation: int
    held: int


@dataclass(frozen=True)
class PoolLoad:
    """What PgBouncer shows of a pool at one moment; counts of connections."""

    clients_active: int
    clients_waiting: int
    backends_active: int
    backends_idle: int
    maxwait_seconds: float

    @property
    def backends(self) -> int:
        return self.backends_active + self.backends_idle

    def list_numbers(self) -> dict[str, float]:
        """By the names that samples and the panel's live stream give them."""
        return {
            "clients_active": self.clients_active,
            "clients_waiting": self.clients_waiting,
            "backends_active": self.backends_active,
            "backends_idle": self.backends_idle,
            "backends": self.backends,
            "maxwait_seconds": self.maxwait_seconds,
        }


# PgBouncer does not list a pool before its first client.
IDLE = PoolLoad(0, 0, 0, 0, 0.0)


def sum_loads(loads: Iterable[PoolLoad]) -> PoolLoad:
    """All of them together; of the longest wait, the longest."""
    loads = list(loads)
    return PoolLoad(
        sum(load.clients_active for load in loads),
        sum(load.clients_waiting for load in loads),
        sum(load.backends_active for load in loads),
        sum(load.backends_idle for load in loads),
        max((load.maxwait_seconds for load in loads), default=0.0),
    )


@dataclass(frozen=True)
class ApplicationClients:
    """Clients of a pool that gave the same ``application_name``, perhaps none. ``active`` ones
    have a backend, ``waiting`` ones want one, ``idle`` ones ask for nothing.

    ``maxwait_seconds``: how long the one has waited that waits longest.
    """

    application: str
    active: int
    waiting: int
    idle: int
    maxwait_seconds: float

    @property
    def total(self) -> int:
        return self.active + self.waiting + self.idle


@dataclass(frozen=True)
class PoolClients:
    """Who a pool's clients were at a moment: the applications with most clients, and how many
    clients there are of others."""

    seen_at: datetime
    applications: tuple[ApplicationClients, ...]
    others: int = 0

    @property
    def total(self) -> int:
        return sum(each.total for each in self.applications) + self.others


POSTGRES = "postgres"
"""The kind of the process that is a cluster's PostgreSQL."""


@dataclass(frozen=True)
class ServerProcess:
    """A server process of a cluster, as observed; ``version``: the one that runs."""

    kind: str
    index: int
    pid: int
    version: str
    port: int
    started_at: datetime
