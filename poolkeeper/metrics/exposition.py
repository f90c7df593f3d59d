"""Where everything stands, as Prometheus reads it. Pure.

Units are in the names: seconds since 1970 or of waiting; else counts, of connections if nothing
is said. The table in ``docs/metrics.md`` has them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from poolkeeper.domain.pools import Pool
from poolkeeper.domain.standing import ClusterDetail
from poolkeeper.domain.status import Phase, count_budget

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_POOL = ("cluster", "pool")


@dataclass(frozen=True)
class Facts:
    """What there is to tell: the control plane's version and start, and every cluster."""

    version: str
    started_at: datetime
    clusters: Sequence[ClusterDetail]


def render(facts: Facts) -> bytes:
    """The figures in Prometheus' text format, whose name is ``CONTENT_TYPE``."""
    return generate_latest(_Figures(facts))


class _Figures(Collector):
    """In the shape that prometheus_client takes its figures from."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterable[Metric]:
        """All families, those without samples included."""
        yield from _tell_control_plane(self._facts)
        yield from _tell_clusters(self._facts.clusters)
        yield from _tell_servers(self._facts.clusters)
        yield from _tell_pools(self._facts.clusters)
        yield from _tell_loads(self._facts.clusters)


def _tell_control_plane(facts: Facts) -> Iterator[Metric]:
    build = InfoMetricFamily("poolkeeper_build", "The control plane that answers.")
    build.add_metric((), {"version": facts.version})
    yield build
    start = _gauge("start_time_seconds", "When the control plane started, since 1970.")
    start.add_metric((), facts.started_at.timestamp())
    yield start


def _tell_clusters(clusters: Iterable[ClusterDetail]) -> Iterator[Metric]:
    up = _gauge("cluster_up", "1: PostgreSQL and the pooler run as they should.", "cluster")
    phase = _gauge("cluster_phase", "1: the phase the cluster is in.", "cluster", "phase")
    lag = _gauge("cluster_pending_changes", "Changes accepted and not in force yet.", "cluster")
    total = _gauge("cluster_budget_connections", "What all pools may hold together.", "cluster")
    held = _gauge("cluster_held_connections", "What all pools may hold now.", "cluster")
    for detail in clusters:
        cluster, state = detail.cluster, detail.state
        name = cluster.name
        current = state.phase if state else Phase.CREATING
        up.add_metric((name,), _is_up(detail))
        for each in Phase:
            phase.add_metric((name, each.value), each is current)
        applied = state.applied_generation if state else 0
        lag.add_metric((name,), max(cluster.generation - applied, 0))
        total.add_metric((name,), count_budget(cluster, state))
        held.add_metric((name,), sum(detail.held.values()))
    yield from (up, phase, lag, total, held)


def _tell_servers(clusters: Iterable[ClusterDetail]) -> Iterator[Metric]:
    """A start that moves is a server that was started anew."""
    start = _gauge(
        "server_start_time_seconds",
        "When a server's process started, since 1970.",
        *("cluster", "server", "index"),
    )
    for detail in clusters:
        for process in detail.processes if _is_up(detail) else ():
            labels = (detail.cluster.name, process.kind, str(process.index))
            start.add_metric(labels, process.started_at.timestamp())
    yield start


def _tell_pools(clusters: Iterable[ClusterDetail]) -> Iterator[Metric]:
    in_force = _gauge("pool_in_force", "1: the pool is as it was last asked for.", *_POOL)
    size = _gauge("pool_size_connections", "Most backends the pool may have.", *_POOL)
    held = _gauge("pool_held_connections", "What the pool counts for in the budget.", *_POOL)
    for detail, pool, labels in _list_pools(clusters):
        state = detail.pool_states.get(pool.id)
        in_force.add_metric(labels, state is not None and state.phase is Phase.ACTIVE)
        size.add_metric(labels, pool.shape.size)
        held.add_metric(labels, detail.held.get(pool.name, pool.shape.size))
    yield from (in_force, size, held)


def _tell_loads(clusters: Iterable[ClusterDetail]) -> Iterator[Metric]:
    """What PgBouncer last showed; of a cluster that is not up there is nothing to tell."""
    active = _gauge("pool_clients_active", "Clients that have a backend, or need none now.", *_POOL)
    waiting = _gauge("pool_clients_waiting", "Clients that wait for a backend.", *_POOL)
    busy = _gauge("pool_backends_active", "Backends that work for a client.", *_POOL)
    idle = _gauge("pool_backends_idle", "Backends without a client.", *_POOL)
    wait = _gauge("pool_max_wait_seconds", "How long the first in the queue waits.", *_POOL)
    for detail, pool, labels in _list_pools(clusters):
        load = detail.loads.get(pool.name)
        if load is None or not _is_up(detail):
            continue
        active.add_metric(labels, load.clients_active)
        waiting.add_metric(labels, load.clients_waiting)
        busy.add_metric(labels, load.backends_active)
        idle.add_metric(labels, load.backends_idle)
        wait.add_metric(labels, load.maxwait_seconds)
    yield from (active, waiting, busy, idle, wait)


def _list_pools(
    clusters: Iterable[ClusterDetail],
) -> Iterator[tuple[ClusterDetail, Pool, tuple[str, str]]]:
    for detail in clusters:
        for pool in detail.pools:
            yield detail, pool, (detail.cluster.name, pool.name)


def _is_up(detail: ClusterDetail) -> bool:
    return detail.state is not None and detail.state.phase is Phase.ACTIVE


def _gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"poolkeeper_{name}", meaning, labels=labels)
