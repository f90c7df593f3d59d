"""One user of a cluster: its password, its settings, and its end."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from poolkeeper.domain.clusters import DEFAULT_USER
from poolkeeper.domain.errors import InvalidRequest
from poolkeeper.domain.tokens import DELETE, READ, UPDATE, VIEW_CREDENTIALS
from poolkeeper.domain.users import ShownUser, check_user_unused
from poolkeeper.panel.forms import Form
from poolkeeper.panel.grants import CLOSED_SINCE, write_grants
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.stale import note_conflicts, read_twins
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases import users
from poolkeeper.usecases.clusters import get_detail
from poolkeeper.usecases.databases import list_databases

_MOST_DATABASES = 5
_PATH = "/databases/{cluster_id}/users/{name}"

pages = Pages()


@pages.get(_PATH, scope=READ)
def show_user(visit: Visit) -> Response:
    """Its password for who may see it, its pools, its settings."""
    user = _find_user(visit)
    return _show(visit, "user.html", user, _fill(user), 200)


@pages.post(_PATH, scope=UPDATE)
def change_user(visit: Visit) -> Response:
    """Change its settings, if what the form showed is still so."""
    user, form = _find_user(visit), visit.read_form(lists=("replication",))
    now, replication = _fill(user), "yes" in form.lists["replication"]
    if note_conflicts(form, read_twins(visit.sent, now), now):
        return _show(visit, "user.html", user, form, 422)
    with form.attempt():
        users.update_user(
            visit.context,
            visit.actor,
            visit.cluster_id,
            user.name,
            allow_replication=replication,
        )
        return visit.redirect(_user_path(visit, user), f"User {user.name} has been changed.")
    return _show(visit, "user.html", user, form, 422)


@pages.get(_PATH + "/reset-password", scope=UPDATE)
def show_reset(visit: Visit) -> Response:
    """What a new password means, and the question."""
    return _show(visit, "user_reset.html", _find_user(visit), visit.read_form(), 200)


@pages.post(_PATH + "/reset-password", scope=UPDATE)
def reset_password(visit: Visit) -> Response:
    """Give it a new password."""
    user, form = _find_user(visit), visit.read_form()
    with form.attempt():
        users.reset_auth(visit.context, visit.actor, visit.cluster_id, user.name)
        return visit.redirect(_user_path(visit, user), f"User {user.name} has a new password.")
    return _show(visit, "user_reset.html", user, form, 422)


@pages.get(_PATH + "/delete", scope=DELETE)
def show_delete(visit: Visit) -> Response:
    """What goes with the user, and the question; or why it cannot go."""
    return _show_delete(visit, _find_user(visit), visit.read_form(), 200)


@pages.post(_PATH + "/delete", scope=DELETE)
def delete(visit: Visit) -> Response:
    """Delete the user, if no pool logs in as it."""
    user, form = _find_user(visit), visit.read_form()
    with form.attempt():
        users.delete_user(visit.context, visit.actor, visit.cluster_id, user.name)
        path = f"/databases/{visit.cluster_id}/users"
        return visit.redirect(path, f"User {user.name} has been deleted.")
    return _show_delete(visit, user, form, 422)


def _fill(user: ShownUser) -> Form:
    return Form({}, {"replication": ["yes"] if user.allow_replication else []})


def _user_path(visit: Visit, user: ShownUser) -> str:
    return f"/databases/{visit.cluster_id}/users/{quote(user.name)}"


def _find_user(visit: Visit) -> ShownUser:
    """Raises NotFound. Without its password, unless it may be seen."""
    user = users.get_user(visit.context, visit.cluster_id, visit.part("name"))
    password = user.password if visit.allows(VIEW_CREDENTIALS) else ""
    return ShownUser(user.name, user.role, password, user.allow_replication)


def _show_delete(visit: Visit, user: ShownUser, form: Form, status: int) -> Response:
    may_go = True
    try:
        pools = get_detail(visit.context, visit.cluster_id).pools
        check_user_unused(user.name, DEFAULT_USER, pools)
    except InvalidRequest as error:
        may_go, form.problem = False, str(error)
    return _show(visit, "user_delete.html", user, form, status, may_go=may_go)


def _show(
    visit: Visit, template: str, user: ShownUser, form: Form, status: int, *, may_go: bool = True
) -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    is_owner = user.name == DEFAULT_USER or int(detail.cluster.version) < CLOSED_SINCE
    shapes = sorted((pool.name, pool.shape.user) for pool in detail.pools)
    return visit.page(
        template,
        status,
        has_secrets=bool(user.password),
        cluster=detail.cluster,
        standing=judge_standing(detail),
        user=user,
        is_protected=user.name == DEFAULT_USER,
        owner=DEFAULT_USER,
        grants="" if is_owner else write_grants(user.name),
        databases=[each.name for each in list_databases(visit.context, visit.cluster_id)],
        most_databases=_MOST_DATABASES,
        form=form,
        now=_fill(user),
        may_go=may_go,
        pools=[name for name, logs_in in shapes if logs_in == user.name],
        inbound=[name for name, logs_in in shapes if logs_in is None],
    )
