"""Creating a cluster."""

from __future__ import annotations

from uuid import uuid4

from starlette.responses import Response

from poolkeeper.domain.clusters import ENGINE, REGIONS, parse_cluster_request
from poolkeeper.domain.sizes import DEFAULT_SIZE, SLUGS, Size, parse_size
from poolkeeper.domain.tokens import CREATE
from poolkeeper.panel.forms import Form
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import create_cluster

_FIELDS = ("name", "version", "size", "region")
_FAMILIES = {
    "db-s": "Basic",
    "gd": "General purpose",
    "so1_5": "Storage-optimised",
    "db-intel": "Basic, Intel",
    "db-amd": "Basic, AMD",
}
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
        families=_list_sizes(),
        regions=REGIONS,
    )


def _list_sizes() -> dict[str, list[Size]]:
    families: dict[str, list[Size]] = {title: [] for title in _FAMILIES.values()}
    for slug in SLUGS:
        family = slug.rsplit("-", 2)[0]
        families[_FAMILIES[family]].append(parse_size(slug))
    return families
