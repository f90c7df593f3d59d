"""A request and its answer, at the API and in the panel alike: an id, and one line in the log."""

from __future__ import annotations

import time
from uuid import uuid4

from starlette.types import Message, Scope, Send
from structlog.typing import FilteringBoundLogger


class Exchange:
    """``send`` in place of the one that was given puts the id into the answer's header
    ``x-request-id``. ``status``: of the answer, None before it has begun."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.request_id = str(uuid4())
        self.status: int | None = None
        self.state = scope.setdefault("state", {})
        self.state["request_id"] = self.request_id
        self._scope, self._send = scope, send
        self._begun = time.perf_counter()
        self._answered: float | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"].append((b"x-request-id", self.request_id.encode()))
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._answered = time.perf_counter()

    def log(self, log: FilteringBoundLogger, token_name: str | None) -> None:
        """Nothing here can hold a secret: no header, no query, no body."""
        answered = self._answered or time.perf_counter()
        log.info(
            "request",
            method=self._scope["method"],
            path=self._scope["path"],
            status=self.status,
            milliseconds=round((answered - self._begun) * 1000, 1),
            token=token_name,
            request_id=self.request_id,
        )
