"""One cluster: its overview."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.tokens import READ
from poolkeeper.panel.live_numbers import sum_loads
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import get_detail, list_events

_LATEST_EVENTS = 8

pages = Pages()


@pages.get("/databases/{cluster_id}", scope=READ)
def show_overview(visit: Visit) -> Response:
    """How the cluster stands, who holds its connections, what happened last."""
    detail = get_detail(visit.context, visit.cluster_id)
    events = list_events(visit.context, cluster_id=detail.cluster.id, limit=_LATEST_EVENTS)
    return visit.page(
        "overview.html",
        cluster=detail.cluster,
        detail=detail,
        standing=judge_standing(detail),
        load=sum_loads(detail.loads),
        events=events,
        host=visit.context.public_host,
    )
