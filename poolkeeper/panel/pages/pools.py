"""All pools of a cluster."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.tokens import READ
from poolkeeper.panel import pool_rows
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import get_detail
from poolkeeper.usecases.views import ClusterDetail

pages = Pages()


@pages.get("/databases/{cluster_id}/pools", scope=READ)
def show_pools(visit: Visit) -> Response:
    """The table of the pools: ``?q=`` finds, ``?sort=`` and ``?order=desc`` sort, ``?page=``."""
    detail = get_detail(visit.context, visit.cluster_id)
    sample = visit.context.samples.latest(detail.cluster.id)
    table = pool_rows.cut_table(
        pool_rows.list_rows(detail, sample.pools if sample else {}),
        query=visit.query("q"),
        sort=visit.query("sort"),
        descending=visit.query("order") == "desc",
        page=visit.query("page"),
    )
    standing = judge_standing(detail)
    return visit.page(
        "pools.html",
        cluster=detail.cluster,
        standing=standing,
        table=table,
        columns=pool_rows.COLUMNS,
        kept=count_kept(detail),
        shrinking=count_shrinking(detail),
        grace=visit.context.grace.total_seconds(),
    )


def count_kept(detail: ClusterDetail) -> dict[str, int]:
    """Backend connections that deleted pools still hold, or that are kept for their names."""
    live = {pool.name for pool in detail.pools}
    return {name: held for name, held in sorted(detail.held.items()) if name not in live}


def count_shrinking(detail: ClusterDetail) -> int:
    """Backend connections that pools hold above their new sizes."""
    sizes = {pool.name: pool.shape.size for pool in detail.pools}
    return sum(max(detail.held.get(name, 0) - size, 0) for name, size in sizes.items())
