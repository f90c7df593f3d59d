"""The list of all clusters."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.standing import ClusterSummary
from poolkeeper.domain.tokens import READ
from poolkeeper.panel.live_numbers import read_rate, sum_loads
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.sparklines import Sparkline
from poolkeeper.panel.standing import judge_summary
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import list_summaries

pages = Pages()


@pages.get("/databases", scope=READ)
def show_databases(visit: Visit) -> Response:
    """Every cluster on one line."""
    summaries = list_summaries(visit.context)
    ids = [summary.cluster.id for summary in summaries]
    lines = visit.sparklines.draw(visit.context, ids)
    rows = [
        _describe(summary, lines[summary.cluster.id], read_rate(visit.context, summary.cluster.id))
        for summary in summaries
    ]
    return visit.page("databases.html", rows=rows)


def _describe(
    summary: ClusterSummary, spark: Sparkline, rate: float | int | None
) -> dict[str, object]:
    return {
        "cluster": summary.cluster,
        "standing": judge_summary(summary),
        "pools": summary.pools,
        "load": sum_loads(summary.loads),
        "spark": spark,
        "rate": rate,
    }
