"""What every request to the panel goes through: an id, one line in the log, a last resort."""

from __future__ import annotations

import time
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LAST_RESORT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Poolkeeper</title>
<h1>Something went wrong on our side</h1>
<p>The log has it under the request id {request_id}. <a href="/">Back to the start</a></p>
"""

_log = structlog.get_logger("poolkeeper.panel")


class PanelRequests:
    """ASGI middleware: ``request.state.request_id``, the log, and what nobody foresaw."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid4())
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        begun, status = time.perf_counter(), None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            pass  # nobody is left to be answered
        except Exception as error:
            if status is not None:
                raise
            _log.error("fault", request_id=request_id, exc_info=error)
            answer = HTMLResponse(_LAST_RESORT.format(request_id=request_id), 500)
            await answer(scope, receive, send_with_id)
        finally:
            # Nothing here can hold a secret: no header, no query, no body.
            _log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                milliseconds=round((time.perf_counter() - begun) * 1000, 1),
                token=state.get("token_name"),
                request_id=request_id,
            )
