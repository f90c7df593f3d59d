"""An answer that was sent and did not arrive: the caller's kernel never acknowledged it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from poolkeeper.api import repeats
from poolkeeper.usecases.attempts import Attempt
from tests.api.front import Front
from tests.api.test_repeats import Posts, refused
from tests.broken_network import let_through, swallow
from tests.plane import wait_until


@pytest.fixture(params=["cluster", "database", "user", "pool"])
def posts(
    front: Front,
    monkeypatch: pytest.MonkeyPatch,
    main: Mapping[str, Any],
    request: pytest.FixtureRequest,
) -> Posts:
    return Posts(front, monkeypatch, main, request.param)


@pytest.fixture
def made() -> list[Attempt]:
    """The attempt whose answer is swallowed."""
    return []


@pytest.fixture
def swallowed(
    posts: Posts, made: list[Attempt], monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """The call is made and answered, and the answer is swallowed by the network. For a long time
    it may still arrive."""

    def break_network(attempt: Attempt) -> None:
        swallow(connection)
        made.append(attempt)

    monkeypatch.setattr(repeats, "_PATIENCE", 3600)
    with posts.connect() as connection:
        with posts.after_the_usecase(break_network):
            posts.send(connection)
            wait_until("the thing is made", lambda: made)
        yield connection


def test_an_answer_that_the_network_swallowed_is_given_again(
    posts: Posts, swallowed: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # While it may still arrive, an equal call is another's.
    assert refused(posts, posts.post())
    monkeypatch.setattr(repeats, "_PATIENCE", 0.1)
    answer = wait_until("it counts as lost", lambda: ask_again(posts))
    assert answer.status_code == 201
    assert refused(posts, posts.post())


def test_of_a_caller_that_goes_just_then_the_loss_is_known_at_once(
    posts: Posts, swallowed: socket.socket
) -> None:
    swallowed.close()
    answer = wait_until("it counts as lost", lambda: ask_again(posts))
    assert answer.status_code == 201
    assert refused(posts, posts.post())


def test_an_answer_that_arrives_late_has_arrived(
    posts: Posts,
    swallowed: socket.socket,
    made: list[Attempt],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repeats, "_PATIENCE", 0.1)
    assert made[0].ended.wait(60), "it does not count as lost"
    assert posts.count_rows() == 1
    let_through(swallowed)
    assert swallowed.recv(12) == b"HTTP/1.1 201"
    wait_until("it is known to have arrived", lambda: posts.count_rows() == 0)
    assert refused(posts, posts.post())


@pytest.mark.parametrize("keep", ["keep-alive", "close"])
def test_an_answer_that_arrived_is_not_given_again(posts: Posts, keep: str) -> None:
    """Whoever closes the connection, and however soon: programs do it at once."""
    for number in range(5):
        body = {**posts.body, "name": f"{posts.body['name']}-{number}"}
        body |= {"size": 1} if posts.kind == "pool" else {}
        assert [post_and_leave(posts, body, keep) for _ in range(2)] == [201, 422]


def post_and_leave(posts: Posts, body: Mapping[str, Any], keep: str) -> int:
    with posts.front.connect(posts.value) as client:
        content, headers = json.dumps(body), {"connection": keep}
        return client.post(posts.path, content=content, headers=headers).status_code


def ask_again(posts: Posts) -> httpx.Response | None:
    answer = posts.post()
    return answer if answer.status_code == 201 else None
