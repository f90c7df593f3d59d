"""The settings of a cluster's PgBouncer and PostgreSQL."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.config_options import OPTIONS
from poolkeeper.domain.errors import InvalidRequest, Refused
from poolkeeper.domain.tokens import READ, UPDATE
from poolkeeper.panel import config_rows
from poolkeeper.panel.forms import Form
from poolkeeper.panel.routing import Pages
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
    """Change what was changed in the form, and nothing else."""
    form = config_rows.fill_form(require_live_cluster(visit.context, visit.cluster_id))
    config_rows.take_sent(form, visit.sent)
    changes = config_rows.read_changes(form)
    if form.errors:
        form.problem = "Nothing was changed: see below what cannot be."
    elif not changes:
        return visit.redirect(visit.address, "Nothing was changed.")
    elif _patch(visit, form, changes):
        return visit.redirect(visit.address, _tell(changes))
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


def _tell(changes: dict[str, object]) -> str:
    waiting = [name for name in changes if OPTIONS[name].restart]
    live = [name for name in changes if name not in waiting]
    parts = []
    if live:
        parts.append(f"In force: {_list(live)}.")
    if waiting:
        parts.append(f"Waiting for a restart of PostgreSQL: {_list(waiting)}.")
    return " ".join(parts)


def _list(names: list[str]) -> str:
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
        was=config_rows.WAS,
    )
