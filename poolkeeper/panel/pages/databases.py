"""The list of all clusters."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.tokens import READ
from poolkeeper.panel.live_numbers import sum_loads
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import Standing, judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import list_details
from poolkeeper.usecases.views import ClusterDetail

pages = Pages()


@pages.get("/databases", scope=READ)
def show_databases(visit: Visit) -> Response:
    """Every cluster on one line."""
    rows = [_describe(detail) for detail in list_details(visit.context)]
    return visit.page("databases.html", rows=rows)


def _describe(detail: ClusterDetail) -> dict[str, object]:
    standing: Standing = judge_standing(detail)
    return {
        "cluster": detail.cluster,
        "standing": standing,
        "pools": len(detail.pools),
        "load": sum_loads(detail.loads),
    }
