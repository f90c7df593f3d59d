"""Rate limits: what every answer says of them, and what one call too many gets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from poolkeeper.api.rates import RateLimits
from poolkeeper.domain.tokens import ADMIN, READ
from tests.api.front import Front

PATH = "/v2/databases"
HEADERS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
Limit = Callable[..., None]


@pytest.fixture
def limit(front: Front) -> Iterator[Limit]:
    """Set the limits, with nothing spent yet."""

    def put(hour: int = 0, minute: int = 0) -> None:
        front.app.state.rates = RateLimits(hour, minute)

    yield put
    put()


def test_every_answer_to_a_token_says_what_is_left(front: Front, limit: Limit) -> None:
    limit(hour=100, minute=50)
    client, began = front.client(ADMIN), time.time()
    answers = [
        client.get(PATH),
        client.post(PATH, json={"name": 1}),
        client.get(f"{PATH}/00000000-0000-4000-8000-000000000000"),
        front.connect(client.headers["authorization"].split()[1]).get("/v1/clusters"),
    ]
    assert [answer.status_code for answer in answers] == [200, 422, 404, 200]
    for left, answer in zip((99, 98, 97, 96), answers, strict=True):
        told = [int(answer.headers[name]) for name in HEADERS]
        assert told[:2] == [100, left]
        assert began + 3600 <= told[2] <= time.time() + 3601


def test_what_is_no_call_does_not_count(front: Front, limit: Limit) -> None:
    limit(hour=100, minute=50)
    for method, path in (("PATCH", PATH), ("GET", "/v2/nowhere"), ("GET", "/v1/health")):
        answer = front.call(method, path)
        assert not answer.headers.keys() & set(HEADERS)
    assert front.call("GET", PATH).headers["ratelimit-remaining"] == "99"


def test_one_call_too_many(front: Front, limit: Limit) -> None:
    limit(hour=2)
    client, began = front.client(ADMIN), time.time()
    body = {"name": "new", "engine": "pg", "num_nodes": 1, "region": "nyc3"}
    for _ in range(2):
        assert client.get(PATH).status_code == 200
    answer = client.post(PATH, json={**body, "size": "db-s-1vcpu-1gb"})
    assert (answer.status_code, answer.json()["id"]) == (429, "too_many_requests")
    assert answer.json()["message"].startswith("API Rate limit exceeded: 2 calls an hour")
    seconds = int(answer.json()["message"].rpartition(" in ")[2].removesuffix(" s"))
    assert 3600 - (time.time() - began) <= seconds <= 3600
    # azure-core would sleep that long, without a word.
    assert "retry-after" not in answer.headers
    assert [answer.headers[name] for name in HEADERS[:2]] == ["2", "0"]
    assert front.look()[0] == []


def test_the_minute_has_a_limit_of_its_own(
    front: Front, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(hour=100, minute=2)
    client = front.client(ADMIN)
    statuses = [client.get(PATH).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    answer = client.get(PATH)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert [answer.headers[name] for name in HEADERS[:2]] == ["2", "0"]
    now = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now() + 61)
        answer = client.get(PATH)
    # What was refused did not count for the hour.
    assert (answer.status_code, answer.headers["ratelimit-remaining"]) == (200, "97")


def test_each_token_has_its_own(front: Front, limit: Limit) -> None:
    limit(hour=1)
    first, second = front.client(ADMIN), front.client(READ)
    assert [first.get(PATH).status_code for _ in range(2)] == [200, 429]
    assert [second.get(PATH).status_code for _ in range(2)] == [200, 429]


def test_without_a_token_nothing_is_told_and_nothing_spent(front: Front, limit: Limit) -> None:
    limit(hour=1)
    strangers = [front.connect(None), front.connect("0" * 64), front.connect("nonsense")]
    for stranger in strangers:
        for _ in range(3):
            answer = stranger.get(PATH)
            assert answer.status_code == 401
            assert not set(HEADERS) & set(answer.headers)
    assert front.client(ADMIN).get(PATH).status_code == 200


def test_without_limits_nothing_is_told(front: Front, limit: Limit) -> None:
    limit(hour=0, minute=0)
    answers: list[httpx.Response] = [front.call("GET", PATH) for _ in range(300)]
    assert {answer.status_code for answer in answers} == {200}
    assert not set(HEADERS) & set(answers[-1].headers)


def test_counting_takes_no_threads() -> None:
    rates = RateLimits(5000, 250)
    time.sleep(0.05)  # the library starts one thread, once
    threads = threading.active_count()
    for number in range(10_000):
        rates.spend(f"token-{number % 20}")
        assert threading.active_count() <= threads
