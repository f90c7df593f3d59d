"""The list of all clusters."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.standing import ClusterSummary
from poolkeeper.domain.tokens import READ
from poolkeeper.panel.live_numbers import read_rate, sum_loads
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.sparklines import Sparkline
from poolkeeper.panel.standing import Standing, judge_summary
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import list_summaries

pages = Pages()


@pages.get("/databases", scope=READ)
def show_databases(visit: Visit) -> Response:
    """Every cluster on one line."""
    summaries = list_summaries(visit.context)
    standings = {summary.cluster.id: judge_summary(summary) for summary in summaries}
    budgets = {cluster_id: standing.budget for cluster_id, standing in standings.items()}
    lines = visit.sparklines.draw(visit.context, budgets)
    rows = [
        _describe(
            summary,
            standings[summary.cluster.id],
            lines[summary.cluster.id],
            read_rate(visit.context, summary.cluster.id),
        )
        for summary in summaries
    ]
    return visit.page("databases.html", rows=rows)


def _describe(
    summary: ClusterSummary, standing: Standing, spark: Sparkline, rate: float | int | None
) -> dict[str, object]:
    return {
        "cluster": summary.cluster,
        "standing": standing,
        "pools": summary.pools,
        "load": sum_loads(summary.loads),
        "spark": spark,
        "rate": rate,
    }
