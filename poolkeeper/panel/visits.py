"""One request for a page: who asks, what they sent, and the ways to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from poolkeeper.domain.errors import NotFound, Unauthenticated
from poolkeeper.domain.sessions import Session
from poolkeeper.domain.tokens import Token
from poolkeeper.panel import cookies, security
from poolkeeper.panel.drawings import Drawings
from poolkeeper.panel.forms import Form
from poolkeeper.panel.rendering import Renderer
from poolkeeper.panel.sparklines import Sparklines
from poolkeeper.usecases.context import Context

_SECRETS = {"cache-control": "no-store"}

# What the live script asks for by itself: that somebody looks is no use of the session.
BACKGROUND_HEADER = "poolkeeper-background"


@dataclass
class Visit:
    """What a page works with. ``sent``: the fields of a form, each with all its values.
    ``last_change``: the newest one before anything was read, for the live stream."""

    request: Request
    context: Context
    renderer: Renderer
    session: Session | None
    csrf_secret: str
    is_new_visitor: bool
    last_change: int = 0
    sent: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def token(self) -> Token:
        """Who is signed in. Raises Unauthenticated."""
        if self.session is None:
            raise Unauthenticated
        return self.session.token

    @property
    def actor(self) -> str:
        """Who the audit trail says it was."""
        return self.token.name

    def allows(self, scope: str) -> bool:
        """Whether whoever is signed in may do that."""
        return self.session is not None and self.session.token.allows(scope)

    @property
    def path(self) -> str:
        return str(self.request.url.path)

    @property
    def address(self) -> str:
        """The path with what follows ``?``."""
        query = self.request.url.query
        return f"{self.path}?{query}" if query else self.path

    @property
    def is_htmx(self) -> bool:
        """Whether htmx asks, which shows a part of the answer in the page that is there."""
        return "hx-request" in self.request.headers

    @property
    def is_background(self) -> bool:
        """Whether a script of ours asks by itself for a part of the page that changed."""
        return BACKGROUND_HEADER in self.request.headers

    @property
    def drawings(self) -> Drawings:
        found: Drawings = self.request.app.state.drawings
        return found

    @property
    def sparklines(self) -> Sparklines:
        found: Sparklines = self.request.app.state.sparklines
        return found

    @property
    def theme(self) -> str:
        return cookies.read_theme(self.request)

    @property
    def csrf_token(self) -> str:
        return security.make_csrf_token(self.csrf_secret)

    @property
    def cluster_id(self) -> UUID:
        """The cluster in the address. Raises NotFound if it cannot be one."""
        try:
            return UUID(self.part("cluster_id"))
        except ValueError:
            raise NotFound("cluster not found") from None

    @property
    def mark(self) -> str:
        """What pages of this session share, and no other's; see static/stream.js."""
        return security.mark_visit(self.csrf_secret)

    def part(self, name: str) -> str:
        """A named part of the address."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str:
        """What the address says after ``?``; empty if nothing."""
        return self.request.query_params.get(name, "")

    def read_form(self, *fields: str, lists: tuple[str, ...] = ()) -> Form:
        """The form that was sent; fields that are missing are empty."""
        values = {name: (self.sent.get(name) or [""])[0] for name in fields}
        return Form(values, {name: self.sent.get(name, []) for name in lists})

    def page(
        self, template: str, status: int = 200, *, has_secrets: bool = False, **values: Any
    ) -> Response:
        """A page. ``has_secrets``: nothing on the way, browser included, may keep it."""
        flash = cookies.read_flash(self.request)
        shown = {"visit": self, "flash": flash, **values}
        answer = HTMLResponse(self.renderer.render(template, shown), status)
        if has_secrets:
            answer.headers.update(_SECRETS)
        if flash and not self.is_htmx:
            cookies.remove(answer, cookies.FLASH)
        if self.is_new_visitor:
            cookies.put(answer, cookies.VISITOR, self.csrf_secret)
        return answer

    def redirect(self, path: str, flash: str = "") -> Response:
        """Go on to another page, which says the message."""
        answer: Response
        if self.is_htmx:
            answer = Response(status_code=204, headers={"hx-redirect": path})
        else:
            answer = RedirectResponse(path, 303)
        if flash:
            cookies.put_flash(answer, flash)
        return answer

    def ask_to_sign_in(self) -> Response:
        """Sign in first, then come back here."""
        if self.is_background:
            # Several parts of a page may ask at once; live.js takes the page there, once.
            return Response(status_code=401, headers={**_SECRETS, "hx-reswap": "none"})
        here = self.address if self.request.method == "GET" else "/"
        if self.is_htmx:
            # What is asked for may be a part only; htmx tells the page that it is for.
            here = _find_page(self.request.headers.get("hx-current-url", ""))
        return self.redirect("/sign-in" if here == "/" else f"/sign-in?next={quote(here)}")


def _find_page(url: str) -> str:
    """What of an address of ours is to go on to; ``/`` if it cannot be read."""
    try:
        page = urlsplit(url)
    except ValueError:
        return "/"
    return (page.path or "/") + (f"?{page.query}" if page.query else "")
