"""What happened, in all clusters and outside of them."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.tokens import READ
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import list_events

_MOST = 100

pages = Pages()


@pages.get("/events", scope=READ)
def show_events(visit: Visit) -> Response:
    """The newest entries of the audit trail."""
    return visit.page("events.html", events=list_events(visit.context, limit=_MOST), most=_MOST)
