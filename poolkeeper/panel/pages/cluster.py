"""One cluster: its overview."""

from __future__ import annotations

import gzip

from starlette.responses import Response

from poolkeeper.domain.clusters import DEFAULT_DATABASE, DEFAULT_USER
from poolkeeper.domain.standing import ClusterDetail
from poolkeeper.domain.tokens import READ
from poolkeeper.panel.chart_lists import choose_pools, compose_stream, list_cluster_charts
from poolkeeper.panel.charts import SPANS, Chart, choose_span
from poolkeeper.panel.live_numbers import read_latest
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import get_detail, list_events

_LATEST_EVENTS = 8

pages = Pages()


@pages.get("/databases/{cluster_id}", scope=READ)
def show_overview(visit: Visit) -> Response:
    """How the cluster stands, who holds its connections, what goes on, what happened last."""
    detail = get_detail(visit.context, visit.cluster_id)
    standing = judge_standing(detail)
    span = choose_span(visit.query("span"))
    # Regions that are loaded again have no chart in them, but for the one that waits for charts.
    is_shown = not visit.is_background or visit.request.headers.get("hx-target") == "charts"
    charts = _list_charts(visit, detail) if is_shown and not standing.is_creating else []
    return visit.page(
        "overview.html",
        cluster=detail.cluster,
        detail=detail,
        standing=standing,
        numbers=read_latest(visit.context, detail.cluster.id),
        events=list_events(visit.context, cluster_id=detail.cluster.id, limit=_LATEST_EVENTS),
        host=visit.context.public_host,
        user=DEFAULT_USER,
        database=DEFAULT_DATABASE,
        pool_names={pool.name for pool in detail.pools},
        stream=compose_stream(detail.cluster.id, choose_pools(detail)),
        drawings=visit.drawings.draw(visit.context, detail.cluster.id, charts, span),
        span=span,
        spans=SPANS,
    )


@pages.get("/databases/{cluster_id}/charts.json", scope=READ)
def send_charts(visit: Visit) -> Response:
    """The numbers of the overview's charts."""
    detail = get_detail(visit.context, visit.cluster_id)
    return answer_charts(visit, _list_charts(visit, detail))


def answer_charts(visit: Visit, charts: list[Chart]) -> Response:
    """Charts over the span that the address names, as charts/numbers.js reads them."""
    span = choose_span(visit.query("span"))
    body = visit.drawings.encode(visit.context, visit.cluster_id, charts, span)
    headers = {"cache-control": "no-store", "vary": "accept-encoding"}
    if "gzip" in visit.request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
    else:
        body = gzip.decompress(body)
    return Response(body, headers=headers, media_type="application/json")


def _list_charts(visit: Visit, detail: ClusterDetail) -> list[Chart]:
    return list_cluster_charts(detail, visit.context.machine().cpus)
