"""Two callers who change the same at once: each is told the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.api.front import Front
from tests.plane import wait_until

POOL = {"name": "web", "mode": "transaction", "size": 10, "db": "defaultdb", "user": "doadmin"}


def set_pool(size: int) -> Mapping[str, object]:
    return {"mode": "session", "size": size, "db": "defaultdb", "user": ""}


def set_rule(address: str) -> Mapping[str, object]:
    return {"rules": [{"type": "ip_addr", "value": address}]}


def set_name(name: str) -> Mapping[str, object]:
    return {"do_settings": {"service_cnames": [name]}}


# Of each change: the method, the address, what one asks for, and what another does.
CHANGES = [
    pytest.param("PUT", "/pools/web", set_pool(4), set_pool(5), id="pool"),
    pytest.param("PUT", "/firewall", set_rule("192.0.2.1"), set_rule("192.0.2.2"), id="firewall"),
    pytest.param(
        "PATCH", "/config", {"config": {"work_mem": 8}}, {"config": {"work_mem": 9}}, id="config"
    ),
    pytest.param("PUT", "/do_settings", set_name("a.example"), set_name("b.example"), id="names"),
]


@pytest.fixture
def cluster(front: Front, main: Mapping[str, Any]) -> str:
    """The address of a cluster with a pool ``web`` and a user ``app``; nothing more gets done."""
    address = f"/v2/databases/{main['id']}"
    assert front.call("POST", f"{address}/pools", POOL).status_code == 201
    assert front.call("POST", f"{address}/users", {"name": "app"}).status_code == 201
    front.change(wait_seconds=1)
    front.reconciler.silent = True
    return address


@contextmanager
def under_way(
    front: Front, method: str, path: str, body: object, seen_at: str
) -> Iterator[Future[httpx.Response]]:
    """A call that is waited for, and will be taken back unless something gets done."""
    before = front.call("GET", seen_at).json()
    with ThreadPoolExecutor(1) as caller:
        call = caller.submit(front.call, method, path, body)
        wait_until("it is wanted", lambda: front.call("GET", seen_at).json() != before)
        yield call


@pytest.mark.parametrize(("method", "path", "body", "other"), CHANGES)
@pytest.mark.parametrize("same", [True, False])
def test_nothing_comes_of_what_was_taken_back(
    front: Front, cluster: str, method: str, path: str, body: object, other: object, same: bool
) -> None:
    """The second may be the same client's, who gave the first one up."""
    path = cluster + path
    before = front.call("GET", path).json()
    with under_way(front, method, path, body, path) as first:
        assert front.call(method, path, body if same else other).status_code == 503
        assert first.result().status_code == 503
    assert front.call("GET", path).json() == before


@pytest.mark.parametrize(("method", "path", "body", "other"), CHANGES)
def test_what_another_asked_for_and_took_back_is_made_all_the_same(
    front: Front, cluster: str, method: str, path: str, body: object, other: object
) -> None:
    path = cluster + path
    before = front.call("GET", path).json()
    with under_way(front, method, path, body, path) as first, ThreadPoolExecutor(1) as caller:
        front.change(wait_seconds=10)
        second = caller.submit(front.call, method, path, body)
        assert first.result().status_code == 503
        front.reconciler.silent = False
        front.reconciler.apply(UUID(cluster.rpartition("/")[2]))
        assert second.result().status_code in (200, 204)
    made = front.call("GET", path).json()
    assert made != before
    assert front.call(method, path, body).status_code in (200, 204)
    assert front.call("GET", path).json() == made


@pytest.mark.parametrize(("method", "path"), [("POST", "/reset_auth"), ("DELETE", "")])
def test_a_password_that_was_taken_back_does_not_come_back(
    front: Front, cluster: str, method: str, path: str
) -> None:
    user = f"{cluster}/users/app"
    before = front.call("GET", user).json()
    with under_way(front, "POST", f"{user}/reset_auth", {}, user) as first:
        assert front.call(method, user + path).status_code == 503
        assert first.result().status_code == 503
    assert front.call("GET", user).json() == before


def test_one_who_does_not_get_a_turn_has_changed_nothing(front: Front, cluster: str) -> None:
    path = f"{cluster}/pools/web"
    with under_way(front, "PUT", path, set_pool(4), path) as first:
        front.change(wait_seconds=0.05)
        refused = front.call("PUT", path, set_pool(5))
        assert refused.status_code == 503
        assert refused.json()["message"] == (
            "another change of pool web is still under way, and nothing was applied; try again"
        )
        front.reconciler.apply(UUID(cluster.rpartition("/")[2]))
        assert first.result().status_code == 204
    assert front.call("GET", path).json()["pool"]["size"] == 4
