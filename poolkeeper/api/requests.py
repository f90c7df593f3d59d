"""What every request goes through: an id, a bound on its body, one line in the log."""

from __future__ import annotations

import time
from urllib.parse import unquote
from uuid import uuid4

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from poolkeeper.api.problems import describe_fault

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
        exchange = _Exchange(scope, receive, send)
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
            exchange.log()


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request_id = str(uuid4())
        self.status: int | None = None
        self._scope, self._receive, self._send = scope, receive, send
        self._begun = time.perf_counter()
        self._answered: float | None = None
        self._received = 0
        scope.setdefault("state", {})["request_id"] = self.request_id
        _keep_slashes(scope)

    async def receive(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body has more than {MAX_BODY_BYTES} bytes")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"].append((b"x-request-id", self.request_id.encode()))
            allowance = self._scope["state"].get("allowance")
            if allowance is not None:
                message["headers"] += allowance.headers
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._answered = time.perf_counter()

    def log(self) -> None:
        """Nothing here can hold a secret: no header, no query, no body."""
        token = self._scope["state"].get("token")
        answered = self._answered or time.perf_counter()
        _log.info(
            "request",
            method=self._scope["method"],
            path=self._scope["path"],
            status=self.status,
            milliseconds=round((answered - self._begun) * 1000, 1),
            token=token.name if token else None,
            request_id=self.request_id,
        )


def _keep_slashes(scope: Scope) -> None:
    """Keep an encoded ``/`` inside the name it is a part of, instead of parting the path."""
    raw = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower():
        return
    parts = raw.decode("latin-1").partition("?")[0].split("/")
    scope["path"] = "/".join(unquote(part).replace("/", "%2F") for part in parts)
