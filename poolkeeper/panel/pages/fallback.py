"""Whatever address nothing else knows."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.errors import NotFound
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.security import check_path
from poolkeeper.panel.visits import Visit

pages = Pages()


@pages.get("/", is_open=True)
def go_home(visit: Visit) -> Response:
    return visit.redirect("/databases" if visit.session else "/sign-in")


@pages.get("/favicon.ico", is_open=True)
def send_icon(visit: Visit) -> Response:
    """Browsers ask for it by themselves."""
    return visit.redirect(visit.request.app.state.assets.url("icon.svg"))


@pages.get("/{path:path}", is_open=True)
def miss(visit: Visit) -> Response:
    """A slash too many is forgiven."""
    shorter = check_path(visit.path.rstrip("/"))
    if shorter not in ("/", visit.path):
        return visit.redirect(shorter)
    raise NotFound("not found")


@pages.post("/{path:path}", is_open=True)
def miss_form(visit: Visit) -> Response:
    raise NotFound("not found")
