"""One pool: what goes on in it, who its clients are, what became of it."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.errors import NotFound
from poolkeeper.domain.pool_history import tell_changes
from poolkeeper.domain.pool_warnings import PoolFindings, PoolWarning, explain_mode, list_warnings
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.standing import ClusterDetail
from poolkeeper.domain.status import Phase
from poolkeeper.domain.tokens import READ
from poolkeeper.panel.chart_lists import BACKENDS, compose_stream, list_pool_charts
from poolkeeper.panel.charts import SPANS, Drawing, choose_span
from poolkeeper.panel.live_numbers import read_latest
from poolkeeper.panel.pages.cluster import answer_charts
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing, word_phase
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import get_detail, list_events

_MOST_CHANGES = 50

pages = Pages()


@pages.get("/databases/{cluster_id}/pools/{name}", scope=READ)
def show_pool(visit: Visit) -> Response:
    """The pool as it is now and was lately."""
    context = visit.context
    detail = get_detail(context, visit.cluster_id)
    pool = _require_pool(detail, visit.part("name"))
    span = choose_span(visit.query("span"))
    charts = list_pool_charts(pool.name)
    if visit.is_background:
        # What is loaded again has no chart in it, but rests on one.
        charts = [chart for chart in charts if chart.id == BACKENDS]
    drawings = visit.drawings.draw(context, detail.cluster.id, charts, span)
    state = detail.pool_states.get(pool.id)
    word, tone = word_phase(state.phase if state else Phase.APPLYING)
    entries = list_events(
        context, cluster_id=detail.cluster.id, subject=pool.name, limit=_MOST_CHANGES
    )
    return visit.page(
        "pool.html",
        cluster=detail.cluster,
        standing=judge_standing(detail),
        pool=pool,
        word=word,
        tone=tone,
        reason=state.reason if state else "",
        held=detail.held.get(pool.name, pool.shape.size),
        numbers=read_latest(context, detail.cluster.id),
        clients=detail.clients.get(pool.name),
        warnings=_list_warnings(visit, detail, pool, drawings),
        mode_explained=explain_mode(pool.shape.mode),
        changes=tell_changes(entries),
        stream=compose_stream(detail.cluster.id, [pool.name]),
        drawings=[] if visit.is_background else drawings,
        span=span,
        spans=SPANS,
    )


@pages.get("/databases/{cluster_id}/pools/{name}/charts.json", scope=READ)
def send_charts(visit: Visit) -> Response:
    """The numbers of the pool's charts."""
    pool = _require_pool(get_detail(visit.context, visit.cluster_id), visit.part("name"))
    return answer_charts(visit, list_pool_charts(pool.name))


def _list_warnings(
    visit: Visit, detail: ClusterDetail, pool: Pool, drawings: list[Drawing]
) -> list[PoolWarning]:
    sample = visit.context.samples.latest(detail.cluster.id)
    idle = sample.cluster.get("connections_idle_in_transaction") if sample else None
    [backends] = [drawing for drawing in drawings if drawing.chart.id == BACKENDS]
    busy = backends.lines[0]
    return list_warnings(
        PoolFindings(
            shape=pool.shape,
            load=detail.loads.get(pool.name),
            clients=detail.clients.get(pool.name),
            idle_in_transaction=int(idle or 0),
            busy=busy.points,
            most_busy=busy.greatest,
            step=backends.step,
            query_wait_timeout=visit.context.query_wait_timeout,
        )
    )


def _require_pool(detail: ClusterDetail, name: str) -> Pool:
    for pool in detail.pools:
        if pool.name == name:
            return pool
    raise NotFound("not found")
