"""Creating a cluster."""

from __future__ import annotations

from uuid import uuid4

from starlette.responses import Response

from poolkeeper.domain.clusters import ENGINE, REGIONS, parse_cluster_request
from poolkeeper.domain.sizes import DEFAULT_SIZE
from poolkeeper.domain.tokens import CREATE
from poolkeeper.panel.forms import Form
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.size_choices import list_sizes
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import create_cluster

_FIELDS = ("name", "version", "size", "region")
_REGION = "nyc1"

pages = Pages()


@pages.get("/databases/new", scope=CREATE)
def show_form(visit: Visit) -> Response:
    """The form."""
    majors = visit.context.majors()
    blank = {"name": "", "version": majors[0] if majors else "", "size": DEFAULT_SIZE}
    return _show(visit, Form({**blank, "region": _REGION}), 200)


@pages.post("/databases/new", scope=CREATE)
def create(visit: Visit) -> Response:
    """Accept the cluster, and show it being created."""
    form = visit.read_form(*_FIELDS)
    with form.attempt():
        request = parse_cluster_request(
            name=form["name"].strip(),
            engine=ENGINE,
            version=form["version"],
            size=form["size"],
            region=form["region"],
            num_nodes=1,
            majors=visit.context.majors(),
        )
        view = create_cluster(visit.context, visit.actor, uuid4(), request)
        return visit.redirect(f"/databases/{view.cluster.id}")
    return _show(visit, form, 422)


def _show(visit: Visit, form: Form, status: int) -> Response:
    return visit.page(
        "create_cluster.html",
        status,
        form=form,
        majors=visit.context.majors(),
        families=list_sizes(),
        regions=REGIONS,
    )
