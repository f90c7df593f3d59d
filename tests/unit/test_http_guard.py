"""Connections on which no request comes, or none that ends."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from poolkeeper.control_plane import http_guard
from poolkeeper.control_plane.http_guard import BoundedHeads
from tests.plane import wait_until


class Answering:
    """An application that answers once it is told to."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        import asyncio

        self.asked.set()
        while not self.may_answer:
            await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


@pytest.fixture
def app() -> Answering:
    return Answering()


@pytest.fixture
def connection(app: Answering, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A connection to a server whose patience is short."""
    monkeypatch.setattr(http_guard, "HEAD_SECONDS", 0.2)
    config = uvicorn.Config(app, http=BoundedHeads, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        wait_until("the server runs", lambda: server.started)
        with socket.create_connection(listener.getsockname(), timeout=30) as connection:
            yield connection
        app.may_answer = True
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half"])
def test_who_does_not_come_to_a_request_is_let_go(connection: socket.socket, said: bytes) -> None:
    connection.sendall(said)
    assert connection.recv(1) == b""


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n", b"\r\n"], ids=["half", "blank"])
def test_who_had_an_answer_is_let_go_as_well(
    connection: socket.socket, app: Answering, said: bytes
) -> None:
    app.may_answer = True
    for _ in range(2):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 204")
    connection.sendall(said)
    assert connection.recv(1) == b""


def test_who_has_asked_may_wait_for_the_answer(connection: socket.socket, app: Answering) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert app.asked.wait(60)
    connection.settimeout(0.6)
    with contextlib.suppress(TimeoutError):
        assert connection.recv(1), "it was let go"
    connection.settimeout(30)
    app.may_answer = True
    assert connection.recv(12) == b"HTTP/1.1 204"
