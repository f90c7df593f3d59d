"""Which charts stand on the pages of a cluster and of a pool. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode
from uuid import UUID

from poolkeeper.domain.standing import ClusterDetail
from poolkeeper.panel.charts import Chart, Line

# More colours than these nobody tells apart.
_MOST_POOLS = 6

# The id of the chart that tells how much of its size a pool uses.
BACKENDS = "backends"


def choose_pools(detail: ClusterDetail) -> list[str]:
    """The pools that have a colour of their own: those that hold most."""
    names = [pool.name for pool in detail.pools]
    return sorted(names, key=lambda name: (-detail.held.get(name, 0), name))[:_MOST_POOLS]


def compose_stream(cluster_id: UUID, pools: Iterable[str]) -> str:
    """The address of a live stream with the numbers of no other pools than these."""
    chosen = [("pool", name) for name in pools] or [("pool", "")]
    return f"/live?{urlencode([('cluster', str(cluster_id)), *chosen])}"


def list_cluster_charts(detail: ClusterDetail, cpus: int) -> list[Chart]:
    """``cpus``: the processors of this machine."""
    return [
        _chart_connections(detail),
        Chart(
            "transactions",
            "Transactions",
            "Ended per second in all databases, pooled or not. PostgreSQL counts them as its"
            " backends report, about once a second.",
            "rate",
            (
                Line("all", ("cluster.xacts_per_second",)),
                Line("rolled back", ("cluster.rollbacks_per_second",), tone="tone-3"),
            ),
            top=1,
        ),
        Chart(
            "cache",
            "Cache hit ratio",
            "Of all blocks that queries asked for, those that were in shared buffers. A gap:"
            " none was asked for.",
            "ratio",
            (Line("in shared buffers", ("cluster.cache_hit_ratio",), tone="tone-5"),),
            top=1,
        ),
        _chart_cpu(cpus),
        Chart(
            "memory",
            "Memory",
            "What PostgreSQL and PgBouncer share among their processes counts once. Memory that"
            " the kernel gives back at need is not counted as used.",
            "size",
            (
                Line("machine", ("host.memory_used_bytes",), tone="tone-free"),
                Line("PostgreSQL", ("cluster.postgres_memory_bytes",)),
                Line("PgBouncer", ("cluster.pooler_memory_bytes",), tone="tone-1"),
                _limit("total", "host.memory_total_bytes"),
            ),
        ),
        Chart(
            "load",
            "Load",
            f"Processes of the machine that run or want to, on average over a minute. It has"
            f" {cpus} processor{'s' if cpus != 1 else ''}: above that some wait.",
            "count",
            (Line("1 min average", ("host.load_1m",), tone="tone-4"),),
            top=1,
        ),
        Chart(
            "disk",
            "Disk",
            "Of the file system that has all data; the databases are measured once a minute.",
            "size",
            (
                Line("used by all", ("host.disk_used_bytes",), tone="tone-free"),
                Line("this cluster's databases", ("cluster.database_bytes",)),
                _limit("total", "host.disk_total_bytes"),
            ),
        ),
    ]


def list_pool_charts(pool: str) -> list[Chart]:
    """The charts of a pool's page."""

    def term(name: str) -> tuple[str]:
        return (f"pool.{pool}.{name}",)

    return [
        Chart(
            "clients",
            "Clients",
            "Active: they have a backend, or ask for none now. Waiting: they want one, and none is"
            " free.",
            "count",
            (
                Line("active", term("clients_active")),
                Line("waiting", term("clients_waiting"), tone="tone-4"),
            ),
            is_stacked=True,
            columns=6,
            top=1,
        ),
        Chart(
            BACKENDS,
            "Backends",
            "Connections to PostgreSQL: working for a client, or idle and free for the next one."
            " They never exceed the size.",
            "count",
            (
                Line("active", term("backends_active")),
                Line("idle", term("backends_idle"), tone="tone-free"),
                Line("size", term("size"), tone="tone-limit", is_limit=True),
            ),
            is_stacked=True,
            columns=6,
            top=1,
        ),
        Chart(
            "waits",
            "Waits",
            "Longest: of the client that is first in the queue. Mean: of all clients that got a"
            " backend in that time; a gap where none did.",
            "duration",
            (
                Line("longest", term("maxwait_seconds"), tone="tone-4"),
                Line("mean", term("wait_seconds"), tone="tone-1"),
            ),
            top=0.001,
        ),
        Chart(
            "throughput",
            "Throughput",
            "Per second. PgBouncer counts a transaction when it ends.",
            "rate",
            (
                Line("transactions", term("xacts_per_second")),
                Line("queries", term("queries_per_second"), tone="tone-2"),
            ),
            top=1,
        ),
        Chart(
            "times",
            "Time per transaction",
            "Mean, as PgBouncer measures it from when a backend is given; the wait for it is not"
            " in it.",
            "duration",
            (
                Line("transaction", term("xact_seconds")),
                Line("query", term("query_seconds"), tone="tone-2"),
            ),
            top=0.001,
        ),
    ]


def _chart_connections(detail: ClusterDetail) -> Chart:
    shown = choose_pools(detail)
    backends = tuple(f"pool.{name}.backends" for name in shown)
    lines = [
        Line(name, (term,), tone=f"tone-{index}")
        for index, (name, term) in enumerate(zip(shown, backends, strict=True))
    ]
    if len(detail.pools) > len(shown) or not shown:
        label = "other pools" if shown else "pools"
        lines.append(Line(label, ("cluster.connections_pooled",), backends, tone="tone-rest"))
    lines += [
        Line("direct", ("cluster.connections_direct",), tone="tone-direct"),
        Line("reserved", ("cluster.connections_reserved",), tone="tone-reserved"),
        Line("free", ("cluster.connections_free",), tone="tone-free"),
    ]
    return Chart(
        "connections",
        "PostgreSQL's connections",
        "All of max_connections, by who has them. Direct: clients that go past the pools."
        " Reserved: kept for administration. Free: not open.",
        "count",
        tuple(lines),
        is_stacked=True,
        columns=12,
        top=1,
    )


def _chart_cpu(cpus: int) -> Chart:
    share = 1 / max(cpus, 1)
    return Chart(
        "cpu",
        "CPU",
        "In percent of all the machine's processors.",
        "percent",
        (
            Line("machine", ("host.cpu_percent",), tone="tone-free"),
            Line("PostgreSQL", ("cluster.postgres_cpu_percent",), factor=share),
            Line("PgBouncer", ("cluster.pooler_cpu_percent",), factor=share, tone="tone-1"),
        ),
        top=100,
    )


def _limit(label: str, term: str) -> Line:
    return Line(label, (term,), tone="tone-limit", is_limit=True)
