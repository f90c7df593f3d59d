"""The numbers that open pages show as they move: what was last seen of a cluster and its pools.

::

    at                          the second that was sampled (Unix time)
    cluster.xacts_per_second    of the cluster, named as in docs/samples.md
    host.load_1m                of the machine
    pool.web.clients_waiting    of a pool
    pools.clients_waiting       of all pools together
"""

from __future__ import annotations

from uuid import UUID

from poolkeeper.domain.samples import Values
from poolkeeper.domain.status import IDLE, sum_loads
from poolkeeper.panel.live import Numbers
from poolkeeper.usecases.context import Context

CLUSTER = (
    *("postgres_cpu_percent", "pooler_cpu_percent"),
    *("postgres_memory_bytes", "pooler_memory_bytes", "database_bytes"),
    *("xacts_per_second", "rollbacks_per_second", "cache_hit_ratio"),
    *("connections_pooled", "connections_direct", "connections_own"),
    *("connections_reserved", "connections_free", "connections_max"),
    *("connections_active", "connections_idle_in_transaction", "connections_waiting_for_lock"),
    "longest_xact_seconds",
)
HOST = (
    *("cpu_percent", "load_1m", "memory_used_bytes", "memory_total_bytes"),
    *("disk_used_bytes", "disk_total_bytes"),
)
POOL = (
    *("xacts_per_second", "queries_per_second"),
    *("xact_seconds", "query_seconds", "wait_seconds", "size"),
)

# More than a chart or a person can tell apart, and much less to send.
_DIGITS = 4


def read_latest(context: Context, cluster_id: UUID) -> dict[str, float | int | None]:
    """All of one cluster."""
    loads = context.observations.loads(cluster_id)
    sample = context.samples.latest(cluster_id)
    host = context.samples.latest_host()
    numbers: dict[str, float | int | None] = {}
    if sample is not None:
        numbers["at"] = sample.at
        numbers |= _pick("cluster", CLUSTER, sample.cluster)
    if host is not None:
        numbers |= _pick("host", HOST, host.cluster)
    # A pool that PgBouncer did not tell of in that second is a gap, and not as it was before.
    names = loads.keys() if sample is None else sample.pools.keys()
    for name in names:
        load = loads.get(name, IDLE).list_numbers()
        load["maxwait_seconds"] = shorten(load["maxwait_seconds"]) or 0
        numbers |= {f"pool.{name}.{field}": value for field, value in load.items()}
    for name, values in (sample.pools if sample else {}).items():
        numbers |= _pick(f"pool.{name}", POOL, values)
    together = sum_loads(loads.values()).list_numbers()
    return numbers | {f"pools.{field}": value for field, value in together.items()}


def summarise(context: Context) -> dict[UUID, Numbers]:
    """For the list of clusters: the sums over the pools of each, and how busy it is."""
    observations = context.observations
    return {
        cluster_id: {
            **sum_loads(observations.loads(cluster_id).values()).list_numbers(),
            "xacts_per_second": read_rate(context, cluster_id),
        }
        for cluster_id in observations.list_clusters()
    }


def read_rate(context: Context, cluster_id: UUID) -> float | int | None:
    """Transactions per second of a cluster."""
    sample = context.samples.latest(cluster_id)
    return shorten(sample.cluster.get("xacts_per_second")) if sample else None


def _pick(prefix: str, names: tuple[str, ...], values: Values) -> dict[str, float | int | None]:
    return {f"{prefix}.{name}": shorten(values.get(name)) for name in names}


def shorten(value: float | None) -> float | int | None:
    """A number with as many digits as anybody sees."""
    if value is None:
        return None
    if value == int(value) and abs(value) < 10**_DIGITS:
        return int(value)
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short == int(short) else short
