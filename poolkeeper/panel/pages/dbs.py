"""Deleting a database of a cluster."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.clusters import DEFAULT_DATABASE
from poolkeeper.domain.databases import check_database_unused
from poolkeeper.domain.errors import InvalidField, InvalidRequest
from poolkeeper.domain.tokens import DELETE
from poolkeeper.panel.forms import Form
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import get_detail
from poolkeeper.usecases.databases import delete_database, get_database

pages = Pages()


@pages.get("/databases/{cluster_id}/dbs/{name}/delete", scope=DELETE)
def show_delete(visit: Visit) -> Response:
    """What goes with the database, and the question; or why it cannot go."""
    return _show(visit, Form({"confirm": ""}), 200)


@pages.post("/databases/{cluster_id}/dbs/{name}/delete", scope=DELETE)
def delete(visit: Visit) -> Response:
    """Delete the database if its name was typed and no pool leads to it."""
    name, form = visit.part("name"), visit.read_form("confirm")
    get_database(visit.context, visit.cluster_id, name)
    with form.attempt():
        if form["confirm"].strip() != name:
            raise InvalidField("confirm", f"type {name} to delete it")
        delete_database(visit.context, visit.actor, visit.cluster_id, name)
        path = f"/databases/{visit.cluster_id}/users"
        return visit.redirect(path, f"Database {name} has been deleted.")
    return _show(visit, form, 422)


def _show(visit: Visit, form: Form, status: int) -> Response:
    database = get_database(visit.context, visit.cluster_id, visit.part("name"))
    detail = get_detail(visit.context, visit.cluster_id)
    may_go = True
    try:
        check_database_unused(database.name, DEFAULT_DATABASE, detail.pools)
    except InvalidRequest as error:
        may_go, form.problem = False, str(error)
    return visit.page(
        "database_delete.html",
        status,
        cluster=detail.cluster,
        standing=judge_standing(detail),
        name=database.name,
        pools=sorted(pool.name for pool in detail.pools if pool.shape.db == database.name),
        form=form,
        may_go=may_go,
    )
