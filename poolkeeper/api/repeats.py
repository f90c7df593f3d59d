"""Whether the answer to a creation reaches its caller: only the connection knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

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

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def watch_delivery(handle: Handler) -> Handler:
    """A handler that knows each call's attempt, in ``request.state.attempt``, and its end.

    The caller's token must be in ``request.state.token``.
    """

    async def attend(request: Request) -> Response:
        context: Context = request.app.state.context
        request.state.attempt = attempt = await _read_attempt(request)
        departure = asyncio.create_task(_note_departure(request, attempt))
        try:
            response = await handle(request)
        except BaseException:
            context.attempts.end(attempt)
            raise
        finally:
            departure.cancel()
        # Run once the answer is sent, so it takes no longer for it.
        response.background = BackgroundTask(_settle, context, attempt)
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


async def _settle(context: Context, attempt: Attempt) -> None:
    try:
        if not attempt.abandoned:
            await run_in_threadpool(forget_answered, context, attempt.call)
    finally:
        # Not before: until its row is gone, an equal call must find somebody who was answered.
        context.attempts.end(attempt)
