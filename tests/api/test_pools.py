"""Pools over ``/v2``."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from poolkeeper.domain.tokens import ADMIN, CREATE, READ, VIEW_CREDENTIALS
from tests.api.front import Front

Cluster = Mapping[str, Any]

BODY = {"name": "web", "mode": "transaction", "size": 10, "db": "defaultdb", "user": "doadmin"}


@pytest.fixture
def pools(main: Cluster) -> str:
    """The address of the main cluster's pools."""
    return f"/v2/databases/{main['id']}/pools"


def test_create_answers_with_the_whole_pool(front: Front, main: Cluster, pools: str) -> None:
    response = front.call("POST", pools, BODY)
    assert response.status_code == 201
    password = main["connection"]["password"]
    connection = {
        "protocol": "postgresql",
        "uri": f"postgresql://doadmin:{password}@db.example:25061/web?sslmode=require",
        "database": "web",
        "host": "db.example",
        "port": 25061,
        "user": "doadmin",
        "password": password,
        "ssl": True,
    }
    assert response.json() == {
        "pool": {
            "user": "doadmin",
            "name": "web",
            "size": 10,
            "db": "defaultdb",
            "mode": "transaction",
            "connection": connection,
            "private_connection": connection,
        }
    }
    assert front.call("GET", f"{pools}/web").json() == response.json()
    assert front.call("GET", pools).json() == {"pools": [response.json()["pool"]]}


@pytest.mark.parametrize("user", ["", None, "absent"])
def test_pool_without_user_is_one_of_inbound_users(
    front: Front, pools: str, user: str | None
) -> None:
    body = {key: BODY[key] for key in BODY.keys() - {"user"}}
    response = front.call("POST", pools, body if user == "absent" else body | {"user": user})
    assert response.status_code == 201
    pool = response.json()["pool"]
    assert pool["user"] == ""
    assert pool["connection"]["user"] == pool["connection"]["password"] == ""
    assert pool["connection"]["uri"] == "postgresql://:@db.example:25061/web?sslmode=require"
    assert pool["private_connection"]["uri"] == pool["connection"]["uri"]


@pytest.mark.parametrize("mode", ["transaction", "session", "statement"])
@pytest.mark.parametrize(
    "name", ["abc", "my-pool", "my_pool", "MyPool", "defaultdb", "0", "x" * 63]
)
def test_modes_and_names(front: Front, pools: str, mode: str, name: str) -> None:
    response = front.call("POST", pools, BODY | {"mode": mode, "name": name})
    if len(name) < 3:
        assert response.status_code == 422
        return
    assert response.status_code == 201
    pool = response.json()["pool"]
    assert (pool["mode"], pool["name"], pool["connection"]["database"]) == (mode, name, name)
    assert front.call("GET", f"{pools}/{name}").json()["pool"] == pool


def test_update_replaces_everything(front: Front, main: Cluster, pools: str) -> None:
    front.call("POST", f"/v2/databases/{main['id']}/dbs", {"name": "app"})
    front.call("POST", pools, BODY)
    # No user: that is how doctl turns a pool into one of inbound users.
    response = front.call(
        "PUT", f"{pools}/web", {"mode": "session", "size": 5, "db": "app", "name": "ignored"}
    )
    assert (response.status_code, response.content) == (204, b"")
    pool = front.call("GET", f"{pools}/web").json()["pool"]
    assert {key: pool[key] for key in BODY} == {
        "name": "web",
        "mode": "session",
        "size": 5,
        "db": "app",
        "user": "",
    }
    again = front.call("PUT", f"{pools}/web", BODY)
    assert again.status_code == 204
    assert front.call("GET", f"{pools}/web").json()["pool"]["user"] == "doadmin"


@pytest.mark.parametrize("missing", ["mode", "size", "db"])
def test_update_needs_the_whole_shape(front: Front, pools: str, missing: str) -> None:
    front.call("POST", pools, BODY)
    before = front.look()
    body = {key: BODY[key] for key in BODY.keys() - {missing}}
    response = front.call("PUT", f"{pools}/web", body)
    assert (response.status_code, response.json()["message"]) == (422, f"{missing}: is required")
    assert front.look() == before


def test_delete_frees_name_and_budget_at_once(front: Front, pools: str) -> None:
    # Terraform replaces a pool by DELETE and POST of the same name.
    for _ in range(3):
        assert front.call("POST", pools, BODY | {"size": 22}).status_code == 201
        response = front.call("DELETE", f"{pools}/web")
        assert (response.status_code, response.content) == (204, b"")
        for method in ("GET", "DELETE"):
            gone = front.call(method, f"{pools}/web")
            assert (gone.status_code, gone.json()["message"]) == (404, "not found")
    assert front.call("GET", pools).json() == {"pools": []}


def test_name_is_taken(front: Front, pools: str) -> None:
    front.call("POST", pools, BODY)
    before = front.look()
    response = front.call("POST", pools, BODY | {"size": 1})
    assert response.status_code == 422
    assert response.json()["message"] == "pool name is not available"
    assert front.look() == before


def test_budget_is_said_with_its_holders(front: Front, pools: str) -> None:
    front.call("POST", pools, BODY | {"name": "web", "size": 10})
    front.call("POST", pools, BODY | {"name": "batch", "size": 5})
    before = front.look()
    response = front.call("POST", pools, BODY | {"name": "more", "size": 8})
    assert response.status_code == 422
    assert response.json()["message"] == (
        "size: asked for 8, 7 left of 22 backend connections (held: batch 5, web 10)"
    )
    update = front.call("PUT", f"{pools}/web", BODY | {"size": 18})
    assert update.status_code == 422
    assert "asked for 18, 17 left of 22" in update.json()["message"]
    assert front.look() == before


def test_parallel_creates_cannot_overrun_the_budget(front: Front, pools: str) -> None:
    def create(number: int) -> httpx.Response:
        body = BODY | {"name": f"pool-{number}", "size": 3}
        return front.client(ADMIN).post(pools, json=body)

    with ThreadPoolExecutor(20) as threads:
        responses = list(threads.map(create, range(20)))
    created = [answer.json()["pool"]["name"] for answer in responses if answer.status_code == 201]
    refused = [answer.json()["message"] for answer in responses if answer.status_code == 422]
    assert (len(created), len(refused)) == (7, 13)
    held = ", ".join(f"{name} 3" for name in sorted(created))
    sentence = f"size: asked for 3, 1 left of 22 backend connections (held: {held})"
    assert set(refused) == {sentence}
    listed = front.call("GET", pools).json()["pools"]
    assert sorted(pool["name"] for pool in listed) == sorted(created)


def test_parallel_creates_of_everything(front: Front, main: Cluster, pools: str) -> None:
    # Terraform does ten things at once.
    calls = [
        *((f"/v2/databases/{main['id']}/dbs", {"name": f"db-{n}"}) for n in range(8)),
        *((f"/v2/databases/{main['id']}/users", {"name": f"user-{n}"}) for n in range(8)),
        *((pools, BODY | {"name": f"pool-{n}", "size": 1}) for n in range(8)),
    ]
    client = front.client(ADMIN)
    with ThreadPoolExecutor(10) as threads:
        statuses = list(threads.map(lambda call: client.post(call[0], json=call[1]), calls))
    assert {response.status_code for response in statuses} == {201}


def test_passwords_are_hidden_without_the_scope(front: Front, main: Cluster, pools: str) -> None:
    created = front.client(CREATE).post(pools, json=BODY).json()["pool"]
    reader = front.client(READ)
    for pool in (
        created,
        reader.get(f"{pools}/web").json()["pool"],
        reader.get(pools).json()["pools"][0],
    ):
        for connection in (pool["connection"], pool["private_connection"]):
            assert connection["password"] == ""
            assert connection["uri"] == (
                "postgresql://doadmin:@db.example:25061/web?sslmode=require"
            )
    seen = front.client(READ, VIEW_CREDENTIALS).get(f"{pools}/web").json()["pool"]
    assert seen["connection"]["password"] == main["connection"]["password"]
