"""Users and databases of a cluster."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from poolkeeper.domain.clusters import DEFAULT_DATABASE, DEFAULT_USER
from poolkeeper.domain.tokens import CREATE, READ, VIEW_CREDENTIALS
from poolkeeper.panel.forms import Form
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.user_rows import cut_lists
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases import databases, users
from poolkeeper.usecases.clusters import get_cluster, get_detail

pages = Pages()


@pages.get("/databases/{cluster_id}/users", scope=READ)
def show_users(visit: Visit) -> Response:
    """Users and databases, with the pools that use them, and a form for each: ``?q=`` finds,
    ``?users=`` and ``?dbs=`` turn pages."""
    return _show(visit, 200)


@pages.post("/databases/{cluster_id}/users", scope=CREATE)
def create(visit: Visit) -> Response:
    """Create a user, or a database: each has a form of its own."""
    return _create_database(visit) if "database" in visit.sent else _create_user(visit)


def _create_user(visit: Visit) -> Response:
    form = visit.read_form("user", lists=("replication",))
    name, replication = form["user"].strip(), "yes" in form.lists["replication"]
    with form.attempt(fields={"name": "user"}):
        users.create_user(
            visit.context, visit.actor, visit.cluster_id, name, allow_replication=replication
        )
        path = f"/databases/{visit.cluster_id}/users/{quote(name)}"
        return visit.redirect(path, f"User {name} has been created.")
    return _show(visit, 422, user_form=form)


def _create_database(visit: Visit) -> Response:
    form = visit.read_form("database")
    name = form["database"].strip()
    with form.attempt(fields={"name": "database"}):
        databases.create_database(visit.context, visit.actor, visit.cluster_id, name)
        path = f"/databases/{visit.cluster_id}/users"
        return visit.redirect(
            path,
            f"Database {name} has been created. It is {DEFAULT_USER}'s: the page of another user"
            " has what lets it make tables there.",
        )
    return _show(visit, 422, database_form=form)


def _show(
    visit: Visit, status: int, *, user_form: Form | None = None, database_form: Form | None = None
) -> Response:
    reveal = visit.allows(VIEW_CREDENTIALS)
    view = get_cluster(visit.context, visit.cluster_id, reveal=reveal)
    detail = get_detail(visit.context, visit.cluster_id)
    lists = cut_lists(
        view.users,
        view.databases,
        detail.pools,
        query=visit.query("q"),
        users_page=visit.query("users"),
        databases_page=visit.query("dbs"),
    )
    return visit.page(
        "users.html",
        status,
        has_secrets=reveal,
        cluster=detail.cluster,
        standing=judge_standing(detail),
        lists=lists,
        default_database=DEFAULT_DATABASE,
        user_form=user_form or Form({"user": ""}, {"replication": []}),
        database_form=database_form or Form({"database": ""}),
    )
