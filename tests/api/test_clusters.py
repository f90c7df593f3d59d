"""Clusters over ``/v2``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from poolkeeper.domain.tokens import CREATE, READ
from tests.api.front import Front

Cluster = Mapping[str, Any]

NOBODY = "00000000-0000-4000-8000-000000000000"
BODY = {
    "name": "orders",
    "engine": "pg",
    "num_nodes": 1,
    "size": "db-s-1vcpu-1gb",
    "region": "nyc3",
}


def test_create_answers_with_the_whole_cluster(front: Front) -> None:
    response = front.call("POST", "/v2/databases", BODY)
    assert response.status_code == 201
    cluster = response.json()["database"]
    password = cluster["connection"]["password"]
    assert re.fullmatch(r"[A-Za-z0-9]{24}", password)
    assert cluster["connection"] == {
        "protocol": "postgresql",
        "uri": f"postgresql://doadmin:{password}@db.example:25060/defaultdb?sslmode=require",
        "database": "defaultdb",
        "host": "db.example",
        "port": 25060,
        "user": "doadmin",
        "password": password,
        "ssl": True,
    }
    assert cluster["private_connection"] == cluster["connection"]
    assert cluster["users"] == [{"name": "doadmin", "role": "primary", "password": password}]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", cluster["created_at"])
    for key in ("id", "project_id", "private_network_uuid"):
        assert str(UUID(cluster[key])) == cluster[key]
    rest = {key: cluster[key] for key in cluster.keys() - _TOLD_APART}
    assert rest == {
        "name": "orders",
        "engine": "pg",
        "version": "17",
        "semantic_version": "17.6",
        "num_nodes": 1,
        "size": "db-s-1vcpu-1gb",
        "region": "nyc3",
        "status": "creating",
        "db_names": ["defaultdb"],
        "tags": [],
        "rules": [],
        "storage_size_mib": 10240,
        "do_settings": {"service_cnames": []},
        "maintenance_window": {
            "day": "sunday",
            "hour": "03:00:00",
            "pending": False,
            "description": [],
        },
        "metrics_endpoints": [{"host": "db.example", "port": 8443}],
        "read_only": False,
        "version_end_of_life": "2029-11-08T00:00:00Z",
        "version_end_of_availability": "2029-05-08T00:00:00Z",
    }


_TOLD_APART = {
    "id",
    "connection",
    "private_connection",
    "users",
    "created_at",
    "project_id",
    "private_network_uuid",
}


def test_connection_of_the_create_response_is_final(front: Front, main: Cluster) -> None:
    # doctl's `create --wait` prints what the first answer said.
    front.call("POST", f"/v2/databases/{main['id']}/dbs", {"name": "wait-for-it"})
    later = front.call("GET", f"/v2/databases/{main['id']}").json()["database"]
    assert (main["status"], later["status"]) == ("creating", "online")
    assert later["connection"] == main["connection"]


def test_empty_and_null_fields_mean_nothing(front: Front) -> None:
    # What godo sends with every create.
    body = BODY | {
        "version": "",
        "private_network_uuid": "",
        "project_id": "",
        "rules": None,
        "tags": None,
        "backup_restore": None,
        "storage_size_mib": 0,
        "something_new": {"a": 1},
    }
    response = front.call("POST", "/v2/databases", body)
    assert response.status_code == 201
    assert response.json()["database"]["version"] == "17"
    assert response.json()["database"]["tags"] == []


def test_what_is_given_is_kept(front: Front) -> None:
    network, project = str(uuid4()), str(uuid4())
    cluster = front.create_cluster(
        "given",
        version="15",
        size="db-s-2vcpu-4gb",
        tags=["env:test", "blue"],
        private_network_uuid=network,
        project_id=project,
        storage_size_mib=102400,
    )
    assert cluster["version"] == "15"
    assert cluster["tags"] == ["env:test", "blue"]
    assert cluster["private_network_uuid"] == network
    assert cluster["project_id"] == project
    assert cluster["storage_size_mib"] == 102400


def test_list_holds_all_and_filters_by_tag(front: Front) -> None:
    assert front.call("GET", "/v2/databases").json() == {"databases": []}
    first = front.create_cluster("first", tags=["blue"])
    second = front.create_cluster("second")
    assert _list_ids(front, "") == [first["id"], second["id"]]
    assert _list_ids(front, "?tag_name=blue") == [first["id"]]
    assert _list_ids(front, "?tag_name=red") == []
    assert _list_ids(front, "?tag_name=") == [first["id"], second["id"]]


def test_each_cluster_has_its_own_ports(front: Front) -> None:
    ports = [front.create_cluster(name)["connection"]["port"] for name in ("one", "two")]
    assert ports == [25060, 25062]


def test_get_one(front: Front, main: Cluster) -> None:
    response = front.call("GET", f"/v2/databases/{main['id'].upper()}")
    assert response.status_code == 200
    assert response.json()["database"]["id"] == main["id"]


def test_delete(front: Front, main: Cluster) -> None:
    response = front.call("DELETE", f"/v2/databases/{main['id']}")
    assert (response.status_code, response.content) == (204, b"")
    assert front.call("GET", f"/v2/databases/{main['id']}").status_code == 404
    assert front.call("DELETE", f"/v2/databases/{main['id']}").status_code == 404
    assert front.create_cluster("main")["id"] != main["id"]


def test_name_of_a_live_cluster_is_taken(front: Front, main: Cluster) -> None:
    response = front.call("POST", "/v2/databases", BODY | {"name": "main"})
    assert response.status_code == 422
    assert response.json()["message"] == "cluster name is not available"
    assert len(front.look()[0]) == 1


def test_dry_run_checks_and_creates_nothing(front: Front, main: Cluster) -> None:
    before = front.look()
    response = front.call("POST", "/v2/databases", BODY | {"dry_run": True})
    assert response.status_code == 201
    assert response.json()["database"]["connection"]["port"] == 25062
    taken = front.call("POST", "/v2/databases", BODY | {"dry_run": True, "name": "main"})
    assert (taken.status_code, taken.json()["message"]) == (422, "cluster name is not available")
    wrong = front.call("POST", "/v2/databases", BODY | {"dry_run": True, "size": "xxl"})
    assert wrong.status_code == 422
    assert wrong.json()["message"] == "invalid size"
    assert front.look() == before


@pytest.mark.parametrize("path", ["", "/ca", "/dbs", "/users", "/pools", "/pools/web", "/dbs/app"])
@pytest.mark.parametrize("cluster_id", [NOBODY, "nonsense", "0" * 32, "%20", "{x}"])
def test_unknown_cluster_is_not_found(front: Front, cluster_id: str, path: str) -> None:
    response = front.call("GET", f"/v2/databases/{cluster_id}{path}")
    assert response.status_code == 404
    assert response.json()["message"] == "cluster not found"


def test_passwords_are_hidden_without_the_scope(front: Front, main: Cluster) -> None:
    reader = front.client(READ)
    hidden = {
        "password": "",
        "uri": main["connection"]["uri"].replace(f":{main['connection']['password']}@", ":@"),
    }
    for cluster in (
        reader.get("/v2/databases").json()["databases"][0],
        reader.get(f"/v2/databases/{main['id']}").json()["database"],
        front.client(CREATE).post("/v2/databases", json=BODY).json()["database"],
    ):
        assert cluster["users"][0]["password"] == ""
        assert cluster["connection"]["password"] == ""
        assert cluster["private_connection"]["password"] == ""
        assert "://doadmin:@" in cluster["connection"]["uri"]
    seen = reader.get(f"/v2/databases/{main['id']}").json()["database"]
    assert seen["connection"] == main["connection"] | hidden


def _list_ids(front: Front, query: str) -> list[str]:
    response = front.call("GET", f"/v2/databases{query}")
    assert response.status_code == 200
    return [cluster["id"] for cluster in response.json()["databases"]]
