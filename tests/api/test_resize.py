"""Another size, the maintenance window and updates, as the API has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.front import Front

Cluster = Mapping[str, Any]

SMALL, LARGE = "db-s-1vcpu-1gb", "db-s-1vcpu-2gb"


@pytest.fixture
def cluster(front: Front, main: Cluster) -> str:
    """The address of a cluster that is online, with a pool of 20."""
    address = f"/v2/databases/{main['id']}"
    pool = {"name": "web", "mode": "transaction", "size": 20, "db": "defaultdb"}
    assert front.call("POST", f"{address}/pools", pool).status_code == 201
    return address


def resize(front: Front, cluster: str, **body: object) -> Any:
    return front.call("PUT", f"{cluster}/resize", {"size": LARGE, "num_nodes": 1, **body})


def read(front: Front, cluster: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = front.call("GET", cluster).json()["database"]
    return found


def test_resize_answers_at_once(front: Front, cluster: str) -> None:
    front.reconciler.busy = True
    before = read(front, cluster)
    response = resize(front, cluster)
    assert (response.status_code, response.content) == (202, b"")
    assert read(front, cluster)["status"] == "resizing"
    # What changes meanwhile is in force meanwhile.
    assert front.call("POST", f"{cluster}/dbs", {"name": "meanwhile"}).status_code == 201
    found = read(front, cluster)
    assert found["status"] == "resizing"
    assert found["maintenance_window"]["pending"] is True
    front.reconciler.busy = False
    assert front.call("DELETE", f"{cluster}/dbs/meanwhile").status_code == 204
    after = read(front, cluster)
    assert after == {**before, "size": LARGE, "storage_size_mib": 30 * 1024}


def test_pools_grow_after_the_restart(front: Front, cluster: str) -> None:
    front.reconciler.busy = True
    front.change(wait_seconds=0.05)
    assert resize(front, cluster).status_code == 202
    pool = {"name": "more", "mode": "transaction", "size": 10, "db": "defaultdb"}
    early = front.call("POST", f"{cluster}/pools", pool)
    assert (early.status_code, early.json()["message"]) == (
        422,
        "size: asked for 10, 2 left of 22 backend connections (held: web 20)",
    )
    standing = front.call("GET", cluster.replace("/v2/databases", "/v1/clusters")).json()["cluster"]
    assert standing["budget"] == {"total": 22, "held": 20, "free": 2}
    front.reconciler.busy = False
    front.change(wait_seconds=60)
    assert front.call("POST", f"{cluster}/dbs", {"name": "now"}).status_code == 201
    assert front.call("POST", f"{cluster}/pools", pool).status_code == 201


def test_a_size_too_small_for_the_pools_is_refused_with_the_sum(front: Front, cluster: str) -> None:
    assert resize(front, cluster).status_code == 202
    pool = {"name": "more", "mode": "transaction", "size": 10, "db": "defaultdb"}
    assert front.call("POST", f"{cluster}/pools", pool).status_code == 201
    before = front.look()
    refused = resize(front, cluster, size=SMALL)
    assert (refused.status_code, refused.json()["message"]) == (
        422,
        f"size: {SMALL} has 22 backend connections, the pools hold 30 (more 10, web 20);"
        " delete some or make them smaller first",
    )
    assert front.look() == before
    assert front.call("DELETE", f"{cluster}/pools/more").status_code == 204
    assert resize(front, cluster, size=SMALL).status_code == 202


def test_the_same_size_changes_nothing(front: Front, cluster: str) -> None:
    before = front.look()
    assert resize(front, cluster, size=SMALL).status_code == 202
    assert front.look() == before


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"size": "xxl"}, "invalid size"),
        ({"num_nodes": 3}, "invalid node count"),
        ({"num_nodes": "1"}, "num_nodes"),
        ({"storage_size_mib": 5000}, "storage_size_mib: 5000 asked, the cluster has 10240"),
        ({"storage_size_mib": 20480}, "20480 asked, and db-s-1vcpu-2gb comes with 30720"),
        ({"storage_size_mib": -1}, "storage_size_mib"),
        ({"size": None}, "size"),
    ],
)
def test_what_cannot_be_is_refused(
    front: Front, cluster: str, body: Mapping[str, object], message: str
) -> None:
    before = front.look()
    refused = resize(front, cluster, **body)
    assert refused.status_code in (400, 422)
    assert message in refused.json()["message"]
    assert front.look() == before


@pytest.mark.parametrize(
    ("call", "body"), [("resize", {"size": LARGE, "num_nodes": 1}), ("install_update", None)]
)
def test_too_early(front: Front, call: str, body: object) -> None:
    front.reconciler.silent = True
    front.change(wait_seconds=0.05)
    cluster = front.create_cluster("early")
    response = front.call("PUT", f"/v2/databases/{cluster['id']}/{call}", body)
    assert (response.status_code, "still being created" in response.text) == (503, True)


def test_the_window_is_kept_and_shown(front: Front, cluster: str) -> None:
    response = front.call("PUT", f"{cluster}/maintenance", {"day": "Friday", "hour": "22:15"})
    assert (response.status_code, response.content) == (204, b"")
    assert read(front, cluster)["maintenance_window"] == {
        "day": "friday",
        "hour": "22:15:00",
        "pending": False,
        "description": [],
    }


@pytest.mark.parametrize(
    "body",
    [
        {"day": "someday", "hour": "22:15"},
        {"day": "friday", "hour": "25:15"},
        {"day": "friday"},
        {"hour": "22:15"},
        {"day": 5, "hour": "22:15"},
    ],
)
def test_a_wrong_window_is_refused(front: Front, cluster: str, body: object) -> None:
    before = front.look()
    assert front.call("PUT", f"{cluster}/maintenance", body).status_code in (400, 422)
    assert front.look() == before


def test_install_update_answers_at_once(front: Front, cluster: str) -> None:
    front.reconciler.busy = True
    front.call("POST", f"{cluster}/dbs", {"name": "one"})
    window = read(front, cluster)["maintenance_window"]
    assert window["description"] == ["restart PostgreSQL to apply max_connections"]
    assert window["pending"] is True
    front.reconciler.busy = False
    response = front.call("PUT", f"{cluster}/install_update")
    assert (response.status_code, response.content) == (204, b"")
    front.call("POST", f"{cluster}/dbs", {"name": "two"})
    assert read(front, cluster)["maintenance_window"]["pending"] is False
    assert read(front, cluster)["status"] == "online"


@pytest.mark.parametrize("call", ["resize", "maintenance", "install_update"])
def test_unknown_clusters(front: Front, call: str) -> None:
    body = {"size": LARGE, "num_nodes": 1, "day": "monday", "hour": "01:00"}
    nobody = "00000000-0000-4000-8000-000000000000"
    assert front.call("PUT", f"/v2/databases/{nobody}/{call}", body).status_code == 404
