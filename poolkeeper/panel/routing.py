"""How an address becomes a page: ``Pages`` collects functions, and guards each of them.

A page is a plain function in a thread of its own; it may read the store and wait::

    pages = Pages()

    @pages.get("/databases/{cluster_id}/pools", scope=READ)
    def show_pools(visit: Visit) -> Response:
        return visit.page("pools.html", cluster=get_cluster(visit.context, visit.cluster_id))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from urllib.parse import parse_qs

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from poolkeeper.domain.errors import InvalidRequest, PoolkeeperError, Unauthenticated
from poolkeeper.domain.sessions import Session
from poolkeeper.domain.tokens import READ
from poolkeeper.panel import cookies, security, visits
from poolkeeper.panel.problems import FormTooLarge, NotOurForm, show_fault, show_problem
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.sessions import find_session

Page = Callable[[Visit], Response]

MAX_FORM_BYTES = 64 * 1024
_MOST_FIELDS = 500

_log = structlog.get_logger("poolkeeper.panel")


class Pages:
    """Pages of one file, in the order in which they are looked for.

    ``scope``: what the token must allow; of a cluster, reading besides, since every page shows
    some of it. ``is_open``: whoever is not signed in may come, too.
    """

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def get(
        self, path: str, *, scope: str | None = None, is_open: bool = False
    ) -> Callable[[Page], Page]:
        return self._add("GET", path, scope, is_open)

    def post(
        self, path: str, *, scope: str | None = None, is_open: bool = False
    ) -> Callable[[Page], Page]:
        return self._add("POST", path, scope, is_open)

    def _add(
        self, method: str, path: str, scope: str | None, is_open: bool
    ) -> Callable[[Page], Page]:
        reading = (READ,) if "{cluster_id}" in path else ()
        scopes = (*reading, scope) if scope is not None else reading

        def remember(page: Page) -> Page:
            async def answer(request: Request) -> Response:
                # Read here: a thread must not wait for a slow client.
                body = await read_body(request) if method == "POST" else b""
                # What waits for the reconciler leaves some threads to who reads.
                waits = method == "POST" and scopes
                async with request.app.state.changes if waits else nullcontext():
                    return await run_in_threadpool(serve_page, request, body, page, scopes, is_open)

            self.routes.append(Route(path, answer, methods=[method], name=page.__name__))
            return page

        return remember


async def read_body(request: Request) -> bytes | None:
    """The body; None if it is larger than any form."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return None
    return body


def open_visit(request: Request) -> Visit:
    """The visit of a request: who is signed in, if somebody is."""
    state = request.app.state
    context: Context = state.context
    last_change = state.live.last_change
    secret = request.cookies.get(cookies.SESSION, "")
    session = _find_session(context, request, secret)
    # All tabs of a session that has ended come at once; what they still have in common serves them
    # all, where a new one for each would leave all but the last with a form that is refused.
    visitor = request.cookies.get(cookies.VISITOR, "") or secret
    is_new = not visitor
    csrf_secret = secret if session else (visitor or security.new_secret())
    if session is not None:
        request.state.token_name = session.token.name
    return Visit(request, context, state.renderer, session, csrf_secret, is_new, last_change)


def check_form(visit: Visit, body: bytes | None) -> None:
    """Take in a form. Raises NotOurForm, FormTooLarge, InvalidRequest."""
    if body is None:
        raise FormTooLarge
    sent = _parse(body)
    token = (
        visit.request.headers.get(security.CSRF_HEADER) or sent.get(security.CSRF_FIELD, [""])[0]
    )
    if not security.comes_from_us(visit.request) or not security.is_csrf_token(
        visit.csrf_secret, token
    ):
        raise NotOurForm
    visit.sent = sent


def serve_page(
    request: Request, body: bytes | None, page: Page, scopes: Sequence[str], is_open: bool
) -> Response:
    """Let a page answer, if who asks may see it; errors become pages of their own."""
    visit = None
    try:
        visit = open_visit(request)
        if not is_open:
            token = visit.token
            for scope in scopes:
                token.demand(scope)
        if request.method == "POST":
            check_form(visit, body)
        return page(visit)
    except PoolkeeperError as error:
        if visit is None:
            visit = open_visit_without_store(request)
        if isinstance(error, Unauthenticated):
            return visit.ask_to_sign_in()
        return show_problem(visit, error)
    except Exception as error:
        _log.error("fault", request_id=request.state.request_id, exc_info=error)
        return show_fault(visit or open_visit_without_store(request))


def open_visit_without_store(request: Request) -> Visit:
    """A visit for a page that says that the store does not answer."""
    visitor = request.cookies.get(cookies.VISITOR, "") or security.new_secret()
    state = request.app.state
    return Visit(request, state.context, state.renderer, None, visitor, is_new_visitor=False)


def _find_session(context: Context, request: Request, secret: str) -> Session | None:
    if not secret:
        return None
    try:
        touch = visits.BACKGROUND_HEADER not in request.headers
        return find_session(context, secret, touch=touch)
    except Unauthenticated:
        return None


def _parse(body: bytes) -> Mapping[str, list[str]]:
    try:
        text = body.decode("ascii")
        fields = parse_qs(
            text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise InvalidRequest("the form cannot be read; go back and try again") from None
    if any("\0" in value for values in fields.values() for value in values):
        raise InvalidRequest(
            "the form has a NUL character in it: nothing was changed; take it out and send it again"
        )
    return fields
