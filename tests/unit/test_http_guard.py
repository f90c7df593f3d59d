"""Connections on which no request comes, or none that ends."""

from __future__ import annotations

import contextlib
import select
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
        self.asked: set[int] = set()  # by the caller's port
        self.may_answer = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        import asyncio

        self.asked.add(scope["client"][1])
        while not self.may_answer:
            await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


@pytest.fixture
def app() -> Answering:
    return Answering()


@pytest.fixture
def address(app: Answering, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Of a server whose patience is short."""
    monkeypatch.setattr(http_guard, "HEAD_SECONDS", 0.2)
    config = uvicorn.Config(app, http=BoundedHeads, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        wait_until("the server runs", lambda: server.started)
        yield listener.getsockname()
        app.may_answer = True
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half"])
def test_who_does_not_come_to_a_request_is_let_go(address: tuple[str, int], said: bytes) -> None:
    # It may be let go before it has said a word, and hear of it by an error.
    with (
        socket.create_connection(address, timeout=60) as connection,
        contextlib.suppress(ConnectionError),
    ):
        connection.sendall(said)
        assert connection.recv(1) == b""


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n", b"\r\n"], ids=["half", "blank"])
def test_who_had_an_answer_is_let_go_as_well(
    address: tuple[str, int], app: Answering, said: bytes
) -> None:
    app.may_answer = True
    with contextlib.ExitStack() as stack:
        connection = wait_until("it is answered in time", lambda: get_answers(address, stack))
        with contextlib.suppress(ConnectionError):
            connection.sendall(said)
            assert connection.recv(1) == b""


def get_answers(address: tuple[str, int], stack: contextlib.ExitStack) -> socket.socket | None:
    """A connection that had two answers; None if it was let go before."""
    connection = stack.enter_context(socket.create_connection(address, timeout=60))
    with contextlib.suppress(ConnectionError):
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if not connection.recv(1000).startswith(b"HTTP/1.1 204"):
                return None
        return connection
    return None


def test_who_has_asked_may_wait_for_the_answer(address: tuple[str, int], app: Answering) -> None:
    with contextlib.ExitStack() as stack:
        # Where the machine stood still, the patience was over before it had asked.
        connection = wait_until("it has asked in time", lambda: ask(address, app, stack))
        connection.settimeout(0.6)
        with contextlib.suppress(TimeoutError):
            assert connection.recv(1), "it was let go"
        connection.settimeout(60)
        app.may_answer = True
        assert connection.recv(12) == b"HTTP/1.1 204"


def ask(
    address: tuple[str, int], app: Answering, stack: contextlib.ExitStack
) -> socket.socket | None:
    """A connection that has asked; None if it was let go before."""
    connection = stack.enter_context(socket.create_connection(address, timeout=60))
    port = connection.getsockname()[1]

    def is_let_go() -> bool:
        return bool(select.select([connection], [], [], 0)[0])

    with contextlib.suppress(ConnectionError):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until("it is heard or let go", lambda: port in app.asked or is_let_go())
    return connection if port in app.asked else None
