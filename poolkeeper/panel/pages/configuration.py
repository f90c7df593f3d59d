"""The settings of a cluster's PgBouncer and PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from starlette.responses import Response

from poolkeeper.domain.config_plan import ConfigPlan, plan_config
from poolkeeper.domain.errors import InvalidRequest, Refused
from poolkeeper.domain.standing import ClusterDetail
from poolkeeper.domain.tokens import READ, UPDATE
from poolkeeper.panel import config_rows
from poolkeeper.panel.forms import Form
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.stale import WAS, note_conflicts
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import get_detail, require_live_cluster
from poolkeeper.usecases.config import patch_config

pages = Pages()

_MOST_NAMES = 5


@pages.get("/databases/{cluster_id}/settings/configuration", scope=READ)
def show_configuration(visit: Visit) -> Response:
    """Every setting with its value; ``?q=`` finds."""
    cluster = require_live_cluster(visit.context, visit.cluster_id)
    return _show(visit, config_rows.fill_form(cluster), 200)


@pages.post("/databases/{cluster_id}/settings/configuration", scope=UPDATE)
def change_configuration(visit: Visit) -> Response:
    """Change what was changed in the form, and nothing else. What somebody else changed,
    too, is told first."""
    cluster = require_live_cluster(visit.context, visit.cluster_id)
    form, now = config_rows.fill_form(cluster), config_rows.fill_form(cluster)
    config_rows.take_sent(form, visit.sent)
    changes = config_rows.read_changes(form)
    if note_conflicts(form, {name: form[WAS + name] for name in changes}, now):
        form.values |= {WAS + name: now[name] for name in form.errors}
        form.problem = form.problem or "Nothing was changed: see below what cannot be."
    elif not changes:
        return visit.redirect(visit.address, "Nothing was changed.")
    elif _patch(visit, form, changes):
        detail = get_detail(visit.context, visit.cluster_id)
        return visit.redirect(visit.address, _tell(_plan(detail, changes)))
    return _show(visit, form, 422)


def _patch(visit: Visit, form: Form, changes: dict[str, object]) -> bool:
    with form.attempt():
        try:
            patch = config_rows.nest_changes(changes)
            patch_config(visit.context, visit.actor, visit.cluster_id, patch)
        except Refused:
            raise
        except InvalidRequest as error:
            config_rows.place_fault(form, error, changes)
            return False
        return True
    return False


def _plan(detail: ClusterDetail, names: Collection[str]) -> ConfigPlan:
    """What becomes of changes of these settings, made now."""
    servers = [each for each in detail.processes if each.kind == "postgres"]
    started_at = servers[0].started_at if servers else None
    return plan_config(names, detail.cluster.maintenance, started_at, datetime.now(UTC))


def _tell(plan: ConfigPlan) -> str:
    parts = []
    if plan.live:
        parts.append(f"In force: {_list(plan.live)}.")
    if plan.waiting:
        when = f"{plan.restart_at:%A %d %B, %H:%M} UTC"
        if plan.is_due:
            when = "in the maintenance window that is open now"
        parts.append(f"At the restart of PostgreSQL, {when}: {_list(plan.waiting)}.")
    return " ".join(parts)


def _list(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join([*names[:_MOST_NAMES], *([f"{more} more"] if more > 0 else [])])


def _show(visit: Visit, form: Form, status: int) -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    groups = config_rows.list_groups(detail.cluster, visit.context.machine(), visit.query("q"))
    return visit.page(
        "settings_configuration.html",
        status,
        cluster=detail.cluster,
        detail=detail,
        standing=judge_standing(detail),
        form=form,
        groups=groups,
        fixed=config_rows.list_fixed(),
        query=visit.query("q"),
        was=WAS,
        plan=_plan(detail, ()),
        restart_wait=visit.context.restart_wait.total_seconds(),
        restart_cuts=visit.context.restart_cuts,
    )
