"""What every request to the panel goes through: an id, one line in the log, a last resort."""

from __future__ import annotations

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from poolkeeper.exchange import Exchange

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
        exchange = Exchange(scope, send)
        try:
            await self._app(scope, receive, exchange.send)
        except ClientDisconnect:
            pass  # nobody is left to be answered
        except Exception as error:
            if exchange.status is not None:
                raise
            _log.error("fault", request_id=exchange.request_id, exc_info=error)
            answer = HTMLResponse(_LAST_RESORT.format(request_id=exchange.request_id), 500)
            await answer(scope, receive, exchange.send)
        finally:
            exchange.log(_log, exchange.state.get("token_name"))
