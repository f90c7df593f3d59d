"""Whether the answer to a creation reaches its caller: only the connection knows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from fastapi import Request
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from poolkeeper.domain.repeats import Call, digest_call
from poolkeeper.usecases.attempts import Attempt
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.repeats import forget_answered

# What azure-core, which pydo is made of, gives each call and its repetitions, and the header that
# is made for it. Not x-request-id: some give the same one to all that belongs together.
_NAMES = ("x-ms-client-request-id", "idempotency-key")

CONNECTION = "poolkeeper.connection"
"""The extension of ASGI by which the server tells a request its connection."""

# An answer that has not arrived by then is taken for lost, unless it arrives after all; the
# kernel itself has sent it some times by then.
_PATIENCE = 2.0
_LONGEST_WAIT = 60.0
_SHORTEST_SLEEP, _LONGEST_SLEEP = 0.002, 0.25


class Connection(Protocol):
    """What of a connection can be known, also after its end."""

    def is_open(self) -> bool: ...

    def is_left(self) -> bool: ...

    def count_sent(self) -> int: ...

    def count_acknowledged(self) -> int: ...


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def watch_delivery(handle: Handler) -> Handler:
    """A handler that knows each call's attempt, in ``request.state.attempt``, and its end.

    The caller's token must be in ``request.state.token``.
    """

    async def attend(request: Request) -> Response:
        context: Context = request.app.state.context
        request.state.attempt = attempt = await _read_attempt(request)
        connection = request.scope.get("extensions", {}).get(CONNECTION, {}).get("socket")
        sent_before = connection.count_sent() if connection and connection.is_open() else 0
        departure = asyncio.create_task(_note_departure(request, attempt))
        try:
            response = await handle(request)
        except BaseException:
            context.attempts.end(attempt)
            raise
        finally:
            departure.cancel()
        # Run once the answer is sent, so it takes no longer for it.
        response.background = BackgroundTask(_settle, context, attempt, connection, sent_before)
        return response

    return attend


async def _read_attempt(request: Request) -> Attempt:
    scope, token = request.scope, request.state.token.id
    asked = (scope["method"], scope["path"], scope["query_string"], await request.body())
    names = [f"{name}: {request.headers[name]}" for name in _NAMES if request.headers.get(name)]
    named = Call(token, digest_call(*asked, *names)) if names else None
    return Attempt(Call(token, digest_call(*asked)), named)


async def _note_departure(request: Request, attempt: Attempt) -> None:
    # The body has been read: nothing else can come but this.
    while (await request.receive())["type"] != "http.disconnect":
        pass
    attempt.abandoned = True


async def _settle(
    context: Context, attempt: Attempt, connection: Connection | None, sent_before: int
) -> None:
    try:
        if attempt.abandoned or not await _arrives(context, attempt, connection, sent_before):
            return
        # If it was taken for lost, another may be about to answer the same call.
        if context.attempts.find_bearer(attempt.call) in (attempt, None):
            await run_in_threadpool(forget_answered, context, attempt.call)
    finally:
        # Not before: until its row is gone, an equal call must find somebody who was answered.
        context.attempts.end(attempt)


async def _arrives(
    context: Context, attempt: Attempt, connection: Connection | None, sent_before: int
) -> bool:
    """Whether what was sent arrives at the caller's kernel; True if that cannot be known."""
    if connection is None or not connection.is_open():
        return connection is None
    sent, began, sleep = connection.count_sent(), time.monotonic(), _SHORTEST_SLEEP
    if sent == sent_before:
        # The caller hung up an instant before: asyncio, about to close, has sent nothing.
        return False
    while connection.count_acknowledged() < sent:
        if not connection.is_open():
            # What we have closed ourselves, the kernel goes on to deliver. How late it is now does
            # not count: a machine that stood still for a while has kept nothing from arriving.
            return not connection.is_left() and not attempt.abandoned
        waited = time.monotonic() - began
        if waited > _LONGEST_WAIT:
            return False
        if waited > _PATIENCE and not attempt.abandoned:
            attempt.abandoned = True
            context.attempts.end(attempt)
        await asyncio.sleep(sleep)
        sleep = min(sleep * 2, _LONGEST_SLEEP)
    return True
