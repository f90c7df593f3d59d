"""A POST that is made again because its answer got lost is answered; any other is refused."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from poolkeeper.domain.repeats import Call, digest_call
from poolkeeper.domain.tokens import ADMIN, CREATE, READ, VIEW_CREDENTIALS
from poolkeeper.store.schema import unanswered
from poolkeeper.usecases import clusters, databases, pools, users
from poolkeeper.usecases.attempts import Attempt
from tests.api.front import Front
from tests.plane import wait_until

Json = Mapping[str, Any]

CLUSTER = {
    "name": "orders",
    "engine": "pg",
    "num_nodes": 1,
    "size": "db-s-1vcpu-1gb",
    "region": "nyc3",
}
POOL = {"name": "web", "mode": "transaction", "size": 10, "db": "defaultdb", "user": "doadmin"}

# Of each creation: the module and function that make it, its path below the cluster, its body.
Kind = tuple[ModuleType, str, str | None, Json]
KINDS: dict[str, Kind] = {
    "cluster": (clusters, "create_cluster", None, CLUSTER),
    "database": (databases, "create_database", "/dbs", {"name": "web"}),
    "user": (users, "create_user", "/users", {"name": "web"}),
    "pool": (pools, "create_pool", "/pools", POOL),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


class Posts:
    """POSTs of one kind by one token, of which some never hear the answer."""

    def __init__(self, front: Front, monkeypatch: pytest.MonkeyPatch, main: Json, kind: str):
        self.front = front
        self.kind = kind
        self.module, self.function, path, self.body = KINDS[kind]
        below = f"/v2/databases/{main['id']}"
        self.path = "/v2/databases" if path is None else below + path
        self.value = front.issue_token(CREATE, READ, VIEW_CREDENTIALS)
        self.client = front.connect(self.value)
        self._monkeypatch = monkeypatch

    def post(self, body: Json | None = None, **headers: str) -> httpx.Response:
        """``headers``: with ``_`` for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(self.path, content=json.dumps(body or self.body), headers=named)

    def post_unheard(self) -> Attempt:
        """The call is made; its caller hangs up before it is answered. Its attempt, ended."""
        attempts: list[Attempt] = []

        def hang_up(attempt: Attempt) -> None:
            attempts.append(attempt)
            connection.close()
            wait_until("it is noticed", lambda: attempt.abandoned)

        connection = self.connect()
        with self.after_the_usecase(hang_up):
            self.send(connection)
            wait_until("the call was made", lambda: attempts)
            assert attempts[0].ended.wait(60)
        return attempts[0]

    def connect(self) -> socket.socket:
        """A connection for one call; the server may be done with it before ``send`` returns."""
        place = urlsplit(self.front.url)
        return socket.create_connection((str(place.hostname), int(place.port or 0)))

    def send(self, connection: socket.socket) -> None:
        """Send the call, and do not wait for the answer."""
        place, body = urlsplit(self.front.url), json.dumps(self.body)
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: {place.netloc}\r\n"
            f"authorization: Bearer {self.value}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        connection.sendall((head + body).encode())

    def find_attempt(self) -> Attempt:
        """The one under way that made the thing."""
        asked = ("POST", self.path, b"", json.dumps(self.body).encode())
        found = self.front.context.attempts.find_bearer(Call(self.value[:16], digest_call(*asked)))
        assert found is not None
        return found

    def count_rows(self) -> int:
        """How many of this token's creations have an answer that is still to be delivered."""
        is_ours = unanswered.c.token_id == self.value[:16]
        query = select(func.count()).select_from(unanswered).where(is_ours)
        with self.front.context.store.read() as tx:
            return int(tx.connection.execute(query).scalar_one())

    @contextmanager
    def after_the_usecase(self, act: Callable[[Attempt], None]) -> Iterator[None]:
        """Do something when the thing has been made, and the answer has not been sent."""
        original = getattr(self.module, self.function)

        def make(*args: Any, attempt: Attempt, **kwargs: Any) -> Any:
            made = original(*args, attempt=attempt, **kwargs)
            act(attempt)
            return made

        with self._monkeypatch.context() as patch:
            patch.setattr(self.module, self.function, make)
            yield


@pytest.fixture
def kind() -> str:
    """Which creation; each test says."""
    raise NotImplementedError


@pytest.fixture
def posts(front: Front, monkeypatch: pytest.MonkeyPatch, main: Json, kind: str) -> Posts:
    return Posts(front, monkeypatch, main, kind)


def refused(posts: Posts, response: httpx.Response) -> bool:
    message = response.json().get("message")
    return (response.status_code, message) == (422, f"{posts.kind} name is not available")


@each_kind
def test_a_lost_answer_is_given_to_the_same_call(posts: Posts) -> None:
    posts.post_unheard()
    before = posts.front.look()
    again = posts.post()
    assert again.status_code == 201, again.text
    assert posts.front.look() == before
    # As the thing stands: a user with the password that it has.
    (shown,) = again.json().values()
    read = posts.client.get(f"{posts.path}/{shown.get('id', 'web')}").json()
    assert read == again.json()


@each_kind
def test_an_answer_that_was_given_twice_was_given(posts: Posts) -> None:
    posts.post_unheard()
    assert posts.post().status_code == 201
    assert refused(posts, posts.post())


@each_kind
def test_a_call_that_was_answered_is_a_conflict_when_made_again(posts: Posts) -> None:
    assert posts.post().status_code == 201
    assert refused(posts, posts.post())
    wait_until("nothing is left to answer", lambda: posts.count_rows() == 0)
    assert refused(posts, posts.post())


@pytest.mark.parametrize("kind", ["user"])
def test_right_after_its_answer_it_is_a_conflict(posts: Posts) -> None:
    for number in range(50):
        body = {"name": f"user-{number}"}
        assert posts.post(body).status_code == 201
        assert refused(posts, posts.post(body))


@each_kind
def test_of_parallel_calls_one_succeeds(posts: Posts) -> None:
    clients = [posts.front.connect(posts.value) for _ in range(20)]
    ready = threading.Barrier(20)

    def post(client: httpx.Client) -> int:
        ready.wait()
        return client.post(posts.path, content=json.dumps(posts.body)).status_code

    with ThreadPoolExecutor(20) as threads:
        assert sorted(threads.map(post, clients)) == [201] + [422] * 19


@each_kind
def test_another_token_is_refused(posts: Posts) -> None:
    posts.post_unheard()
    assert refused(posts, posts.front.call("POST", posts.path, posts.body))


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("cluster", CLUSTER | {"region": "ams3"}),
        ("user", {"name": "web", "settings": {"pg_allow_replication": True}}),
        ("pool", POOL | {"size": 9}),
    ],
)
def test_another_body_is_refused(posts: Posts, other: Json) -> None:
    posts.post_unheard()
    assert refused(posts, posts.post(other))
    assert posts.post().status_code == 201


@pytest.mark.parametrize(
    ("kind", "method", "path", "body"),
    [
        ("user", "POST", "/web/reset_auth", {}),
        ("user", "PUT", "/web", {"settings": {"pg_allow_replication": True}}),
        ("pool", "PUT", "/web", {k: v for k, v in POOL.items() if k != "name"} | {"size": 9}),
    ],
)
def test_what_was_changed_since_is_another_s(
    posts: Posts, method: str, path: str, body: Json
) -> None:
    posts.post_unheard()
    assert posts.front.call(method, posts.path + path, body).is_success
    assert refused(posts, posts.post())


@pytest.mark.parametrize("kind", ["database", "user", "pool"])
def test_what_was_made_anew_is_another_s(posts: Posts) -> None:
    posts.post_unheard()
    assert posts.front.call("DELETE", f"{posts.path}/web").status_code == 204
    assert posts.front.call("POST", posts.path, posts.body).status_code == 201
    assert refused(posts, posts.post())


@each_kind
def test_after_ten_minutes_it_is_a_conflict(posts: Posts, monkeypatch: pytest.MonkeyPatch) -> None:
    posts.post_unheard()
    store = posts.front.context.store
    now = store._now
    monkeypatch.setattr(store, "_now", lambda: now() + timedelta(minutes=10))
    assert refused(posts, posts.post())


@pytest.mark.parametrize("kind", ["user"])
def test_what_nobody_asks_for_again_is_forgotten(
    posts: Posts, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts.post_unheard()
    store = posts.front.context.store
    now = store._now
    monkeypatch.setattr(store, "_now", lambda: now() + timedelta(minutes=11))
    assert posts.post({"name": "other"}).status_code == 201
    wait_until("both are forgotten", lambda: posts.count_rows() == 0)


@pytest.mark.parametrize("kind", ["database", "user", "pool"])
def test_who_asks_again_waits_for_the_first_call(posts: Posts, main: Json) -> None:
    posts.post({"name": "warm-up"})  # the token is known, and noted as used
    silence(posts, main)
    with posts.connect() as connection:
        posts.send(connection)
        await_committed(posts)
        first = posts.find_attempt()
    wait_until("it is noticed that its caller hung up", lambda: first.abandoned)
    answers: list[httpx.Response] = []
    second = threading.Thread(target=lambda: answers.append(posts.post()))
    second.start()
    second.join(0.3)
    assert answers == []
    posts.front.reconciler.apply(UUID(main["id"]))
    second.join(60)
    assert answers[0].status_code == 201, answers[0].text


@each_kind
def test_who_asks_again_before_the_first_call_is_over_is_answered_too(posts: Posts) -> None:
    answers: list[httpx.Response] = []
    second = threading.Thread(target=lambda: answers.append(posts.post()))

    def ask_again(attempt: Attempt) -> None:
        if second.ident is None:
            connection.close()
            wait_until("it is noticed", lambda: attempt.abandoned)
            second.start()
            second.join(0.3)
            assert answers == []

    connection = posts.connect()
    with posts.after_the_usecase(ask_again):
        posts.send(connection)
        wait_until("there is an answer", lambda: answers)
    assert answers[0].status_code == 201, answers[0].text


@pytest.mark.parametrize("kind", ["database", "user", "pool"])
def test_while_the_first_caller_waits_it_is_a_conflict(posts: Posts, main: Json) -> None:
    silence(posts, main)
    with posts.connect() as connection:
        posts.send(connection)
        await_committed(posts)
        assert refused(posts, posts.post())
        posts.front.reconciler.apply(UUID(main["id"]))
        assert connection.recv(12) == b"HTTP/1.1 201"


@pytest.mark.parametrize("kind", ["database", "user", "pool"])
def test_what_was_taken_back_unheard_is_made_by_the_next_call(posts: Posts, main: Json) -> None:
    posts.front.change(wait_seconds=1)
    silence(posts, main)
    with posts.connect() as connection:
        posts.send(connection)
        await_committed(posts)
    wait_until("it was taken back", lambda: "web" not in list_names(posts))
    assert posts.count_rows() == 0
    posts.front.reconciler.silent = False
    assert posts.post().status_code == 201


@each_kind
def test_a_fault_after_the_creation_does_not_hide_it(posts: Posts) -> None:
    def break_down(attempt: Attempt) -> None:
        raise RuntimeError("a fault")

    with posts.after_the_usecase(break_down):
        assert posts.post().status_code == 500
    assert posts.post().status_code == 201
    assert refused(posts, posts.post())


@pytest.mark.parametrize("header", ["x_ms_client_request_id", "idempotency_key"])
@each_kind
def test_a_call_that_its_client_names_again_is_answered_again(posts: Posts, header: str) -> None:
    """Though its answer may have arrived: only the client can tell, and does."""
    first = posts.post(**{header: "one"})
    assert first.status_code == 201
    before = posts.front.look()
    for _ in range(3):
        assert posts.post(**{header: "one"}).status_code == 201
    assert posts.front.look() == before
    assert refused(posts, posts.post(**{header: "two"}))
    assert refused(posts, posts.post())
    other = {name: value for name, value in posts.body.items() if name != "name"}
    assert refused(posts, posts.post({"name": posts.body["name"], **other, "tags": []}))


@pytest.mark.parametrize("kind", ["user"])
def test_a_name_that_others_may_have_is_none(posts: Posts) -> None:
    assert posts.post(x_request_id="of the whole run").status_code == 201
    assert refused(posts, posts.post(x_request_id="of the whole run"))


@pytest.mark.parametrize("kind", ["database", "user", "pool"])
def test_who_names_the_call_again_waits_for_the_first(posts: Posts, main: Json) -> None:
    """Its connection broke, and nobody but the client knows yet."""
    silence(posts, main)
    answers: list[httpx.Response] = []
    callers = [
        threading.Thread(target=lambda: answers.append(posts.post(idempotency_key="one")))
        for _ in range(2)
    ]
    callers[0].start()
    await_committed(posts)
    callers[1].start()
    callers[1].join(0.3)
    assert answers == []
    posts.front.reconciler.apply(UUID(main["id"]))
    for caller in callers:
        caller.join(60)
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("kind", ["user", "pool"])
def test_a_named_call_too_finds_only_what_it_made(posts: Posts) -> None:
    assert posts.post(idempotency_key="one").status_code == 201
    assert posts.front.call("DELETE", f"{posts.path}/web").status_code == 204
    assert posts.front.call("POST", posts.path, posts.body).status_code == 201
    assert refused(posts, posts.post(idempotency_key="one"))


def silence(posts: Posts, main: Json) -> None:
    """From now on nothing comes in force; the cluster itself is online by then."""

    def is_online() -> bool:
        shown = posts.front.call("GET", f"/v2/databases/{main['id']}").json()["database"]
        return bool(shown["status"] == "online")

    wait_until("it is online", is_online)
    posts.front.reconciler.silent = True


def await_committed(posts: Posts) -> None:
    """By the audit trail, which also has what was taken back in the meantime."""
    path = f"/v1/events?kind={posts.kind}_create&limit=1"

    def is_told() -> bool:
        events = posts.front.call("GET", path).json()["events"]
        return [event["subject"] for event in events] == ["web"]

    wait_until("it is committed", is_told)


def list_names(posts: Posts) -> list[str]:
    (listed, *_) = posts.front.client(ADMIN).get(posts.path).json().values()
    return [item["name"] for item in listed]
