"""The address of the live stream, ``/live``, and of the question whether we are back."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from poolkeeper.domain.errors import PoolkeeperError, Unauthenticated
from poolkeeper.domain.tokens import READ
from poolkeeper.panel import cookies
from poolkeeper.panel.live import Live
from poolkeeper.panel.security import mark_visit
from poolkeeper.panel.watchers import Watcher, parse_topics
from poolkeeper.usecases.sessions import find_session


async def stream_live(request: Request) -> Response:
    """``/live?cluster=…``, or without a cluster what the list of all needs.

    ``&pool=…``, once for each: of the pools only these; ``&pool=`` none. A browser with several
    pages says ``for=…`` with that for each of them. ``&after=…``: the id of the newest change
    that they know of; a browser that comes back by itself says it by ``last-event-id``.
    ``&visit=…``: whose pages they are; those of who was signed in before get nothing.
    """
    refusal = await run_in_threadpool(_check, request)
    live: Live = request.app.state.live
    if refusal is not None:
        return Response(status_code=refusal)
    try:
        topics = parse_topics(request.url.query)
    except ValueError:
        return Response(status_code=404)
    session, after = request.cookies[cookies.SESSION], _read_last_change(request)
    if not live.has_room(session):
        return Response(status_code=503)
    watcher = Watcher(topics, session, after=after)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(live.watch(watcher), headers=headers, media_type="text/event-stream")


async def answer_ping(request: Request) -> Response:
    """204 for who is signed in, 401 for others: pages that lost their stream ask, with
    ``?visit=`` as for the stream."""
    refusal = await run_in_threadpool(_check, request)
    return Response(status_code=refusal or 204, headers={"cache-control": "no-store"})


def _read_last_change(request: Request) -> int:
    text = request.headers.get("last-event-id") or request.query_params.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def _check(request: Request) -> int | None:
    try:
        value = request.cookies.get(cookies.SESSION, "")
        session = find_session(request.app.state.context, value, touch=False)
    except Unauthenticated:
        return 401
    except PoolkeeperError:
        return 503
    if request.query_params.get("visit", mark_visit(value)) != mark_visit(value):
        return 401
    request.state.token_name = session.token.name
    return None if session.token.allows(READ) else 403
