"""What is known of a connection while, and after, something is sent on it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import cast

import pytest

from poolkeeper.api import repeats
from poolkeeper.api.repeats import _arrives
from poolkeeper.control_plane.connections import Connection, adopt, find
from poolkeeper.domain.repeats import Call
from poolkeeper.usecases.attempts import Attempt
from poolkeeper.usecases.context import Context
from tests.broken_network import let_through, swallow
from tests.plane import wait_until

_SENT = b"an answer"


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    """Ours and the peer's."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as listener,
        closing(socket.create_connection(listener.getsockname())) as peer,
        closing(adopt(listener.accept()[0])) as ours,
    ):
        yield ours, peer


def test_what_arrives_while_one_looks_is_counted_once(
    ends: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, peer = ends
    swallow(peer)
    ours.sendall(_SENT)
    look = ours.count_acknowledged

    def look_and_mend() -> int:
        found = look()
        let_through(peer)
        wait_until("it has arrived", look)
        return found

    looks = iter([look_and_mend])
    monkeypatch.setattr(Connection, "count_acknowledged", lambda _: next(looks, look)())
    assert ours.count_sent() == len(_SENT)


def test_of_a_closed_connection_is_known_what_arrived(
    ends: tuple[Connection, socket.socket],
) -> None:
    ours, _ = ends
    number = ours.fileno()
    assert find(number) is ours
    ours.sendall(_SENT)
    wait_until("it has arrived", ours.count_acknowledged)
    ours.close()
    assert not ours.is_open()
    assert ours.count_acknowledged() == len(_SENT)
    assert not ours.is_left()


@pytest.mark.parametrize("answer", [b"", _SENT])
def test_an_answer_that_was_never_sent_does_not_arrive(
    ends: tuple[Connection, socket.socket], answer: bytes
) -> None:
    """Trap: whoever hangs up just then leaves us nothing unacknowledged, since asyncio drops
    what is written to a connection that it is about to close."""
    ours, _ = ends
    before = ours.count_sent()
    ours.sendall(answer)
    attempt = Attempt(Call("token", "digest"))
    arrives = _arrives(cast(Context, None), attempt, ours, before)
    assert asyncio.run(arrives) is bool(answer)


def test_what_was_sent_before_we_closed_arrives_however_late_one_looks(
    ends: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine stands still for an hour just after the close."""
    ours, peer = ends
    moments = iter([0.0, 0.0])
    monkeypatch.setattr(repeats, "time", SimpleNamespace(monotonic=lambda: next(moments, 3600.0)))

    async def close_and_look() -> bool:
        before = ours.count_sent()
        swallow(peer)
        ours.sendall(_SENT)
        asyncio.get_running_loop().call_soon(ours.close)
        attempt = Attempt(Call("token", "digest"))
        return await _arrives(cast(Context, None), attempt, ours, before)

    assert asyncio.run(close_and_look())
