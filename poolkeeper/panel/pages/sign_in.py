"""Signing in, with a token or by a link that works once, and signing out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from poolkeeper.domain.errors import Unauthenticated
from poolkeeper.panel import cookies
from poolkeeper.panel.patience import Patience, TooMany
from poolkeeper.panel.problems import TooManyAttempts
from poolkeeper.panel.routing import Pages, read_body, serve_page
from poolkeeper.panel.security import check_path, new_secret
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases import sessions

_HOME = "/databases"

_WRONG_TOKEN = "There is no such token, or it has expired or been revoked."
_WRONG_LINK = (
    "This link has been used already, or is older than five minutes. Get another one with"
    " `poolkeeper panel`, or sign in with a token."
)

pages = Pages()


@pages.get("/sign-in", is_open=True)
def show_sign_in(visit: Visit) -> Response:
    """The page; a link only fills in its form, so that whoever looks ahead does not use it up."""
    link = visit.query("link")
    if visit.session is not None and not link:
        return visit.redirect(_choose_path(visit.query("next")))
    form = visit.read_form("token")
    return _show(visit, form.errors, link=link, next_path=visit.query("next"))


@pages.post("/sign-out")
def sign_out(visit: Visit) -> Response:
    """End the session."""
    sessions.sign_out(visit.context, visit.csrf_secret)
    answer = visit.redirect("/sign-in")
    cookies.remove(answer, cookies.SESSION)
    # One for all tabs, each of which will ask for the sign-in; see open_visit.
    cookies.put(answer, cookies.VISITOR, new_secret())
    return answer


async def post_sign_in(request: Request) -> Response:
    """Sign in; whoever failed before waits, without holding a thread."""
    patience: Patience = request.app.state.patience
    address = request.client.host if request.client else ""
    body = await read_body(request)
    try:
        await patience.wait_turn(address)
        answer = await run_in_threadpool(serve_page, request, body, _sign_in, (), True)
        if getattr(request.state, "sign_in_failed", False):
            await patience.note_failure(address)
        elif answer.status_code == 303:
            patience.note_success(address)
    except TooMany:
        return await run_in_threadpool(serve_page, request, body, _refuse, (), True)
    return answer


pages.routes.append(Route("/sign-in", post_sign_in, methods=["POST"]))


def _sign_in(visit: Visit) -> Response:
    form = visit.read_form("token", "link", "next")
    link = form["link"]
    try:
        if link:
            _, value = sessions.sign_in_by_link(visit.context, link)
        else:
            _, value = sessions.sign_in(visit.context, form["token"].strip())
    except Unauthenticated:
        visit.request.state.sign_in_failed = True
        errors = {"token": _WRONG_LINK if link else _WRONG_TOKEN}
        return _show(visit, errors, link="", next_path=form["next"], status=403)
    if visit.session is not None:
        sessions.sign_out(visit.context, visit.csrf_secret)
    answer = visit.redirect(_choose_path(form["next"]))
    lifetime = visit.context.session_limits.lifetime
    cookies.put(answer, cookies.SESSION, value, seconds=int(lifetime.total_seconds()))
    cookies.remove(answer, cookies.VISITOR)
    return answer


def _show(
    visit: Visit, errors: dict[str, str], *, link: str, next_path: str, status: int = 200
) -> Response:
    return visit.page(
        "sign_in.html",
        status,
        has_secrets=True,
        errors=errors,
        link=link,
        next_path=check_path(next_path),
    )


def _choose_path(wanted: str) -> str:
    path = check_path(wanted)
    return _HOME if path == "/" else path


def _refuse(visit: Visit) -> Response:
    raise TooManyAttempts
