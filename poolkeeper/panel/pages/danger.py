"""What cannot be taken back: new passwords for all users, and the end of a cluster."""

from __future__ import annotations

from contextlib import suppress

from starlette.responses import Response

from poolkeeper.domain.errors import InvalidField, NotFound
from poolkeeper.domain.status import sum_loads
from poolkeeper.domain.tokens import DELETE, UPDATE
from poolkeeper.panel.forms import Form
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import delete_cluster, get_detail, require_live_cluster
from poolkeeper.usecases.users import list_users, reset_auth

pages = Pages()


@pages.get("/databases/{cluster_id}/settings/rotate", scope=UPDATE)
def show_rotate(visit: Visit) -> Response:
    """Whose passwords are replaced, what that means, and the question."""
    return _show_rotate(visit, Form({"from": ""}), 200)


@pages.post("/databases/{cluster_id}/settings/rotate", scope=UPDATE)
def rotate(visit: Visit) -> Response:
    """Give each user a new password, one after the other; after a failure from that one on."""
    form = visit.read_form("from")
    done: list[str] = []
    for name in _list_names(visit, form["from"]):
        # One that was deleted meanwhile needs no password.
        with suppress(NotFound), form.attempt():
            reset_auth(visit.context, visit.actor, visit.cluster_id, name)
            done.append(name)
        if form.failed:
            form.problem, form.values["from"] = _tell_rest(name, form.problem, done), name
            return _show_rotate(visit, form, 422)
    path = f"/databases/{visit.cluster_id}/settings"
    return visit.redirect(path, f"{_count(done)} new: the old ones log nobody in any more.")


@pages.get("/databases/{cluster_id}/settings/destroy", scope=DELETE)
def show_destroy(visit: Visit) -> Response:
    """What ends with the cluster, what is kept, and the question."""
    return _show_destroy(visit, Form({"confirm": ""}), 200)


@pages.post("/databases/{cluster_id}/settings/destroy", scope=DELETE)
def destroy(visit: Visit) -> Response:
    """Destroy the cluster if its name was typed."""
    name = require_live_cluster(visit.context, visit.cluster_id).name
    form = visit.read_form("confirm")
    with form.attempt():
        if form["confirm"].strip() != name:
            raise InvalidField("confirm", f"type {name} to destroy it")
        delete_cluster(visit.context, visit.actor, visit.cluster_id)
        return visit.redirect("/databases", f"Cluster {name} is being destroyed.")
    return _show_destroy(visit, form, 422)


def _list_names(visit: Visit, first: str) -> list[str]:
    """The users by name, from one on."""
    names = sorted(user.name for user in list_users(visit.context, visit.cluster_id))
    return [name for name in names if name >= first]


def _tell_rest(name: str, problem: str, done: list[str]) -> str:
    others = f" {_count(done)} new already: {', '.join(done)}." if done else ""
    return f"The password of {name} was not replaced: {problem}.{others} Do it again for the rest."


def _count(done: list[str]) -> str:
    return "1 password is" if len(done) == 1 else f"{len(done)} passwords are"


def _show_rotate(visit: Visit, form: Form, status: int) -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    return visit.page(
        "settings_rotate.html",
        status,
        cluster=detail.cluster,
        standing=judge_standing(detail),
        users=_list_names(visit, form["from"]),
        form=form,
    )


def _show_destroy(visit: Visit, form: Form, status: int) -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    return visit.page(
        "settings_destroy.html",
        status,
        cluster=detail.cluster,
        standing=judge_standing(detail),
        pools=len(detail.pools),
        load=sum_loads(detail.loads.values()),
        keep_days=visit.context.keep_data.total_seconds() / 86400,
        form=form,
    )
