"""What is turned away before it is a request: plain HTTP, and heads that do not end.

The answers look like the API's, but for the request id.
"""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from poolkeeper.api.repeats import CONNECTION
from poolkeeper.control_plane.connections import adopt, find

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0

_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ", b"CONNECT ")


class Listener(socket.socket):
    """A listening socket for TLS that tells whoever speaks plain HTTP what is wrong.

    Python's TLS would hang up on them without a word.
    """

    def listen(self, *backlog: int) -> None:
        # A connection is handed over once its first bytes are there to be looked at.
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
        super().listen(*backlog)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises ConnectionAbortedError after one that spoke plain HTTP,
        which servers take for a client that changed its mind."""
        connection, address = super().accept()
        if not _speaks_http(connection):
            return adopt(connection), address
        with connection, suppress(OSError):
            # What is left unread at the close could cost the client our answer.
            connection.recv(MAX_HEAD_BYTES, socket.MSG_DONTWAIT)
            message = "this port speaks HTTPS: write https:// instead of http://"
            connection.send(_word_refusal(HTTPStatus.BAD_REQUEST, message), socket.MSG_DONTWAIT)
        raise ConnectionAbortedError("plain HTTP")


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's HTTP, which by itself reads headers without an end.

    Nobody has shown a token yet, and httptools takes the longer over each byte the more
    there are. Each request is told its connection, to see whether the answer arrives.
    """

    _in_head = False
    _head_bytes = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_patience()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        # uvicorn's patience with who has had an answer ends with their next byte.
        if self._patience is None and self.cycle.response_complete:
            self._begin_patience()
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"the address and the headers have more than {MAX_HEAD_BYTES} bytes",
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_patience()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()
        plain = self.transport.get_extra_info("socket")
        connection = None if plain is None else find(plain.fileno())
        self.scope["extensions"] = {CONNECTION: {"socket": connection}}

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._end_patience()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """For requests that cannot be read as HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, "this is no HTTP request that can be read")

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self.transport.write(_word_refusal(status, message))
        self.transport.close()

    def _begin_patience(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None


def _speaks_http(connection: socket.socket) -> bool:
    try:
        first = connection.recv(8, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return False
    return first.startswith(_METHODS)


def _word_refusal(status: HTTPStatus, message: str) -> bytes:
    body = json.dumps({"id": status.name.lower(), "message": message}).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "content-type: application/json; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body
