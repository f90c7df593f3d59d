"""Light, dark, or as the system says."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.errors import InvalidField
from poolkeeper.panel import cookies
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.security import check_path
from poolkeeper.panel.visits import Visit

pages = Pages()


@pages.post("/theme", is_open=True)
def choose_theme(visit: Visit) -> Response:
    """Remember the choice, and show the page again."""
    form = visit.read_form("theme", "next")
    if form["theme"] not in cookies.THEMES:
        raise InvalidField("theme", f"one of {', '.join(cookies.THEMES)}")
    answer = visit.redirect(check_path(form["next"]))
    cookies.put_theme(answer, form["theme"])
    return answer
