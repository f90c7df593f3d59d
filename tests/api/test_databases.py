"""Databases over ``/v2``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.front import Front

Cluster = Mapping[str, Any]


@pytest.mark.parametrize("name", ["app", "my-app", "MyApp", "_x", "a.b", "1", "x" * 63])
def test_story(front: Front, main: Cluster, name: str) -> None:
    dbs = f"/v2/databases/{main['id']}/dbs"
    created = front.call("POST", dbs, {"name": name})
    assert (created.status_code, created.json()) == (201, {"db": {"name": name}})
    got = front.call("GET", f"{dbs}/{quote(name, safe='')}")
    assert (got.status_code, got.json()) == (200, {"db": {"name": name}})
    listed = front.call("GET", dbs)
    assert listed.status_code == 200
    assert listed.json() == {"dbs": [{"name": "defaultdb"}, {"name": name}]}
    cluster = front.call("GET", f"/v2/databases/{main['id']}").json()["database"]
    assert cluster["db_names"] == ["defaultdb", name]
    deleted = front.call("DELETE", f"{dbs}/{name}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert front.call("GET", f"{dbs}/{name}").status_code == 404


def test_names_in_paths_are_decoded(front: Front, main: Cluster) -> None:
    dbs = f"/v2/databases/{main['id']}/dbs"
    front.call("POST", dbs, {"name": "my-app"})
    assert front.call("GET", f"{dbs}/my%2Dapp").json() == {"db": {"name": "my-app"}}
    assert front.call("GET", f"{dbs}/%6dy-app").json() == {"db": {"name": "my-app"}}


@pytest.mark.parametrize("name", ["nope", "a%2Fb", "%00", "%FF", "%2F", "..%2Fdbs", "%0A", "%25"])
def test_unknown_name_is_not_found(front: Front, main: Cluster, name: str) -> None:
    for method in ("GET", "DELETE"):
        response = front.call(method, f"/v2/databases/{main['id']}/dbs/{name}")
        assert (response.status_code, response.json()["message"]) == (404, "not found")


def test_name_is_taken(front: Front, main: Cluster) -> None:
    dbs = f"/v2/databases/{main['id']}/dbs"
    response = front.call("POST", dbs, {"name": "defaultdb"})
    assert response.status_code == 422
    assert response.json()["message"] == "database name is not available"


def test_deleting_one_that_pools_use_names_them(front: Front, main: Cluster) -> None:
    cluster = f"/v2/databases/{main['id']}"
    front.call("POST", f"{cluster}/dbs", {"name": "app"})
    for pool in ("b-pool", "a-pool"):
        body = {"name": pool, "mode": "transaction", "size": 1, "db": "app"}
        assert front.call("POST", f"{cluster}/pools", body).status_code == 201
    before = front.look()
    response = front.call("DELETE", f"{cluster}/dbs/app")
    assert response.status_code == 422
    assert response.json()["message"] == (
        "database 'app' is used by 2 pools: a-pool, b-pool; delete or change them first"
    )
    assert front.look() == before


def test_defaultdb_stays(front: Front, main: Cluster) -> None:
    response = front.call("DELETE", f"/v2/databases/{main['id']}/dbs/defaultdb")
    assert response.status_code == 422
    assert response.json()["message"] == (
        "database 'defaultdb' belongs to every cluster and cannot be deleted"
    )
