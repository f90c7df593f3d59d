"""The settings of a cluster, in sections that each have a form of their own."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from poolkeeper.domain.config import flatten_config
from poolkeeper.domain.errors import InvalidRequest
from poolkeeper.domain.maintenance import DAYS, DURATION, find_opening
from poolkeeper.domain.tokens import READ, UPDATE
from poolkeeper.panel.forms import Form
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.settings_sections import SECTIONS
from poolkeeper.panel.stale import note_conflicts, read_twins
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import get_detail, require_live_cluster
from poolkeeper.usecases.tags import list_tags

_HOURS = tuple(f"{hour:02}:00" for hour in range(24))

pages = Pages()


@pages.get("/databases/{cluster_id}/settings", scope=READ)
def show_settings(visit: Visit) -> Response:
    """Every section, filled with what is."""
    return _show(visit, {}, 200)


@pages.post("/databases/{cluster_id}/settings", scope=UPDATE)
def change_settings(visit: Visit) -> Response:
    """Do what one section's form says, if what it showed is still so."""
    name = visit.read_form("section")["section"]
    section = SECTIONS.get(name)
    if section is None:
        raise InvalidRequest("there is no such section; go back and try again", field="section")
    now = section.fill(require_live_cluster(visit.context, visit.cluster_id))
    form = section.read(visit, now)
    if note_conflicts(form, read_twins(visit.sent, now), now):
        return _show(visit, {name: form}, 422)
    with form.attempt(fields=section.renamed):
        return visit.redirect(visit.path, section.apply(visit, form))
    return _show(visit, {name: form}, 422)


def _show(visit: Visit, sent: dict[str, Form], status: int) -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    cluster = detail.cluster
    filled = {name: section.fill(cluster) for name, section in SECTIONS.items()}
    forms = filled | sent
    hour = forms["maintenance"]["hour"]
    return visit.page(
        "settings.html",
        status,
        cluster=cluster,
        detail=detail,
        standing=judge_standing(detail),
        forms=forms,
        filled=filled,
        days=DAYS,
        hours=_HOURS if hour in _HOURS else (*_HOURS, hour),
        window_hours=DURATION.total_seconds() / 3600,
        is_open=find_opening(cluster.maintenance, datetime.now(UTC)) is not None,
        known_tags=[tag.name for tag in list_tags(visit.context) if tag.name not in cluster.tags],
        set_by_hand=len(flatten_config(cluster.config)),
        keep_days=visit.context.keep_data.total_seconds() / 86400,
        restart_wait=visit.context.restart_wait.total_seconds(),
        restart_cuts=visit.context.restart_cuts,
    )
