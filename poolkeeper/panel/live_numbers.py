"""The numbers that open pages show as they move: what was last seen of each cluster's pools."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from poolkeeper.domain.status import PoolLoad
from poolkeeper.panel.live import Numbers
from poolkeeper.usecases.context import Context


def read_latest(context: Context, cluster_id: UUID) -> dict[str, float | int | None]:
    """By name, such as ``pool.web.clients_active``; sums over all pools as ``pools.…``."""
    loads = context.observations.loads(cluster_id)
    numbers: dict[str, float | int | None] = {}
    for name, load in loads.items():
        for field, value in _list_fields(load).items():
            numbers[f"pool.{name}.{field}"] = value
    return numbers | {f"pools.{field}": value for field, value in sum_loads(loads).items()}


def summarise(context: Context) -> dict[UUID, Numbers]:
    """For the list of clusters: the sums over the pools of each."""
    observations = context.observations
    return {
        cluster_id: sum_loads(observations.loads(cluster_id))
        for cluster_id in observations.list_clusters()
    }


def sum_loads(loads: Mapping[str, PoolLoad]) -> dict[str, float | int]:
    """All pools of a cluster together; of the longest wait, the longest."""
    values = loads.values()
    return {
        "clients_active": sum(load.clients_active for load in values),
        "clients_waiting": sum(load.clients_waiting for load in values),
        "backends_active": sum(load.backends_active for load in values),
        "backends_idle": sum(load.backends_idle for load in values),
        "backends": sum(load.backends_active + load.backends_idle for load in values),
        "maxwait_seconds": max((load.maxwait_seconds for load in values), default=0.0),
    }


def _list_fields(load: PoolLoad) -> dict[str, float | int]:
    return {
        "clients_active": load.clients_active,
        "clients_waiting": load.clients_waiting,
        "backends_active": load.backends_active,
        "backends_idle": load.backends_idle,
        "backends": load.backends_active + load.backends_idle,
        "maxwait_seconds": round(load.maxwait_seconds, 1),
    }
