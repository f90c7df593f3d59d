"""The list of all clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.standing import ClusterSummary
from poolkeeper.domain.status import PoolLoad, sum_loads
from poolkeeper.domain.tokens import READ
from poolkeeper.panel.live_numbers import read_rate
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.sparklines import Sparkline
from poolkeeper.panel.standing import Standing, judge_summary
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import list_summaries

pages = Pages()


@dataclass(frozen=True)
class Row:
    """A cluster on its line. ``load``: of all its pools together; ``rate``: transactions per
    second, None if nothing was counted."""

    cluster: Cluster
    standing: Standing
    pools: int
    load: PoolLoad
    spark: Sparkline
    rate: float | int | None


_OLDEST_FIRST = "created"
# What ``?sort=`` may say, how people call it, and by what it sorts.
_SORTS: Mapping[str, tuple[str, Callable[[Row], Any]]] = {
    _OLDEST_FIRST: ("creation", lambda row: row.cluster.created_at),
    "name": ("name", lambda row: row.cluster.name),
    "status": ("status", lambda row: row.standing.word),
    "version": ("version", lambda row: int(row.cluster.version)),
    "region": ("region", lambda row: row.cluster.region),
    "pools": ("pools", lambda row: row.pools),
    "clients": ("clients", lambda row: row.load.clients_active),
    "rate": ("transactions", lambda row: row.rate or 0),
}


@pages.get("/databases", scope=READ)
def show_databases(visit: Visit) -> Response:
    """Every cluster on one line; ``?sort=`` and ``?order=desc`` sort."""
    summaries = list_summaries(visit.context)
    standings = {summary.cluster.id: judge_summary(summary) for summary in summaries}
    budgets = {cluster_id: standing.budget for cluster_id, standing in standings.items()}
    lines = visit.sparklines.draw(visit.context, budgets)
    rows = [
        _describe(visit, summary, standings[summary.cluster.id], lines[summary.cluster.id])
        for summary in summaries
    ]
    sort = visit.query("sort") if visit.query("sort") in _SORTS else _OLDEST_FIRST
    descending = visit.query("order") == "desc"
    rows.sort(key=lambda row: row.cluster.name)
    rows.sort(key=_SORTS[sort][1], reverse=descending)
    return visit.page(
        "databases.html",
        rows=rows,
        sorts=[(key, title) for key, (title, _) in _SORTS.items()],
        sort=sort,
        descending=descending,
    )


def _describe(visit: Visit, summary: ClusterSummary, standing: Standing, spark: Sparkline) -> Row:
    return Row(
        summary.cluster,
        standing,
        summary.pools,
        sum_loads(summary.loads.values()),
        spark,
        read_rate(visit.context, summary.cluster.id),
    )
