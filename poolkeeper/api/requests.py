"""What every request goes through: an id, a bound on its body, one line in the log."""

from __future__ import annotations

from urllib.parse import unquote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from poolkeeper.api.problems import describe_fault
from poolkeeper.exchange import Exchange

MAX_BODY_BYTES = 1024 * 1024

_log = structlog.get_logger("poolkeeper.api")


class RequestLine:
    """ASGI middleware: gives each request its id, logs it, and answers what nobody foresaw.

    The id is in ``request.state.request_id`` and in the header ``x-request-id``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _ApiExchange(scope, receive, send)
        _keep_slashes(scope)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            # Halfway through its body: nobody is left to answer, and the log has no status.
            pass
        except Exception as error:
            if exchange.status is not None:
                raise
            await describe_fault(exchange.request_id, error)(scope, receive, exchange.send)
        finally:
            token = exchange.state.get("token")
            exchange.log(_log, token.name if token else None)


class _ApiExchange(Exchange):
    """With a bound on the body, and what is left to the token in each answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, send)
        self._receive = receive
        self._received = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body has more than {MAX_BODY_BYTES} bytes")
        return message

    async def send(self, message: Message) -> None:
        allowance = self.state.get("allowance")
        if message["type"] == "http.response.start" and allowance is not None:
            message["headers"] += allowance.headers
        await super().send(message)


def _keep_slashes(scope: Scope) -> None:
    """Keep an encoded ``/`` inside the name it is a part of, instead of parting the path."""
    raw = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower():
        return
    parts = raw.decode("latin-1").partition("?")[0].split("/")
    scope["path"] = "/".join(unquote(part).replace("/", "%2F") for part in parts)
