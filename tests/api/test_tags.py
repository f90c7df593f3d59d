"""Tags: they exist by themselves, and clusters bear them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.front import Front

Json = Mapping[str, Any]
TAGS = "/v2/tags"


def make(front: Front, name: str) -> Json:
    answer = front.call("POST", TAGS, {"name": name})
    assert answer.status_code == 201, answer.text
    tag: Json = answer.json()["tag"]
    return tag


def name_resources(*clusters: Json | str, type: str = "database") -> Json:
    ids = [each if isinstance(each, str) else each["id"] for each in clusters]
    return {"resources": [{"resource_id": id, "resource_type": type} for id in ids]}


def read_tags(front: Front, cluster: Json) -> list[str]:
    found: list[str] = front.call("GET", f"/v2/databases/{cluster['id']}").json()["database"][
        "tags"
    ]
    return found


def list_names(front: Front, query: str = "") -> list[str]:
    return [tag["name"] for tag in front.call("GET", f"{TAGS}{query}").json()["tags"]]


def test_a_new_tag_bears_nothing(front: Front) -> None:
    empty = {"name": "team:blue", "resources": {"count": 0, "databases": {"count": 0}}}
    assert make(front, "team:blue") == empty
    assert front.call("GET", f"{TAGS}/team:blue").json() == {"tag": empty}
    assert front.call("GET", f"{TAGS}/team%3Ablue").json() == {"tag": empty}


def test_a_tag_counts_its_clusters_and_names_the_last(front: Front) -> None:
    first, second = front.create_cluster("first"), front.create_cluster("second")
    make(front, "blue")
    for cluster in (second, first):
        path = f"{TAGS}/blue/resources"
        assert front.call("POST", path, name_resources(cluster)).status_code == 204
        resources = front.call("GET", f"{TAGS}/blue").json()["tag"]["resources"]
        uri = f"{front.url}/v2/databases/{cluster['id']}"
        assert resources["last_tagged_uri"] == resources["databases"]["last_tagged_uri"] == uri
    assert resources["count"] == resources["databases"]["count"] == 2
    assert front.call("GET", uri).json()["database"]["tags"] == ["blue"]


def test_creating_it_again_changes_nothing(front: Front, main: Json) -> None:
    make(front, "blue")
    front.call("POST", f"{TAGS}/blue/resources", name_resources(main))
    assert make(front, "blue")["resources"]["count"] == 1
    assert list_names(front) == ["blue"]


def test_capitals_stay_as_they_were_first(front: Front) -> None:
    make(front, "PROD")
    assert make(front, "prod")["name"] == "PROD"
    assert front.call("GET", f"{TAGS}/prod").status_code == 404
    cluster = front.create_cluster("orders", tags=["prod", "Blue", "blue"])
    assert cluster["tags"] == ["PROD", "Blue"]
    assert list_names(front) == ["Blue", "PROD"]
    dry = front.create_cluster("other", tags=["blue", "red"], dry_run=True)
    assert dry["tags"] == ["Blue", "red"]
    assert list_names(front) == ["Blue", "PROD"]


def test_tags_of_a_new_cluster_exist_and_outlive_it(front: Front) -> None:
    cluster = front.create_cluster("orders", tags=["blue"])
    assert front.call("GET", f"{TAGS}/blue").json()["tag"]["resources"]["count"] == 1
    assert front.call("DELETE", f"/v2/databases/{cluster['id']}").status_code == 204
    assert front.call("GET", f"{TAGS}/blue").json()["tag"]["resources"]["count"] == 0


def test_clusters_are_found_by_tag(front: Front, main: Json) -> None:
    front.create_cluster("tagged", tags=["blue"])
    found = front.call("GET", "/v2/databases?tag_name=blue").json()["databases"]
    assert [cluster["name"] for cluster in found] == ["tagged"]
    front.call("POST", f"{TAGS}/blue/resources", name_resources(main))
    found = front.call("GET", "/v2/databases?tag_name=blue").json()["databases"]
    assert [cluster["name"] for cluster in found] == ["main", "tagged"]


def test_untagging_takes_off_that_tag_alone(front: Front) -> None:
    cluster = front.create_cluster("orders", tags=["blue", "red"])
    for _ in range(2):
        path = f"{TAGS}/blue/resources"
        assert front.call("DELETE", path, name_resources(cluster)).status_code == 204
        assert read_tags(front, cluster) == ["red"]
    assert list_names(front) == ["blue", "red"]


def test_deleting_a_tag_takes_it_off_its_clusters(front: Front) -> None:
    clusters = [front.create_cluster(name, tags=["blue", "red"]) for name in ("one", "two")]
    assert front.call("DELETE", f"{TAGS}/blue").status_code == 204
    assert [read_tags(front, cluster) for cluster in clusters] == [["red"], ["red"]]
    assert front.call("GET", f"{TAGS}/blue").status_code == 404
    assert front.call("DELETE", f"{TAGS}/blue").status_code == 404


def test_all_are_tagged_or_none(front: Front, main: Json) -> None:
    make(front, "blue")
    for wrong in (str(uuid.uuid4()), "nonsense"):
        for method in ("POST", "DELETE"):
            answer = front.call(method, f"{TAGS}/blue/resources", name_resources(main, wrong))
            assert answer.status_code == 404
            assert answer.json()["message"] == "cluster not found"
    assert read_tags(front, main) == []


def test_an_unknown_tag_is_not_made_by_giving_it(front: Front, main: Json) -> None:
    for method in ("POST", "DELETE"):
        assert front.call(method, f"{TAGS}/blue/resources", name_resources(main)).status_code == 404
    assert list_names(front) == []


def test_tags_of_a_cluster_have_an_end(front: Front) -> None:
    cluster = front.create_cluster("orders", tags=["x" * 250])
    for name, status in (("four", 204), ("y", 422)):
        make(front, name)
        answer = front.call("POST", f"{TAGS}/{name}/resources", name_resources(cluster))
        assert answer.status_code == status
    assert answer.json()["message"] == "combined tags cannot exceed 255 characters"
    assert read_tags(front, cluster) == ["x" * 250, "four"]


@pytest.mark.parametrize("type", ["droplet", "image", "volume", "volume_snapshot", "", "cluster"])
def test_nothing_else_can_be_tagged(front: Front, main: Json, type: str) -> None:
    make(front, "blue")
    answer = front.call("POST", f"{TAGS}/blue/resources", name_resources(main, type=type))
    assert answer.status_code == 422
    assert "'database' is what can be tagged" in answer.json()["message"]


@pytest.mark.parametrize("name", ["", "a b", "a,b", "ü", "x" * 256, "a/b", "a.b", "a\n"])
def test_names_that_cannot_be(front: Front, name: str) -> None:
    answer = front.call("POST", TAGS, {"name": name})
    assert answer.status_code == 422
    assert answer.json()["message"] == "name: 1 to 255 characters out of a-z A-Z 0-9 : _ -"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "resources: is required"),
        ({"resources": None}, "resources: must be a list"),
        ({"resources": [{}]}, "resources.0.resource_id: is required"),
        ({"resources": [1]}, "resources.0: must be an object"),
    ],
)
def test_bodies_that_cannot_be(front: Front, body: Json, message: str) -> None:
    make(front, "blue")
    for method in ("POST", "DELETE"):
        answer = front.call(method, f"{TAGS}/blue/resources", body)
        assert answer.status_code == 422
        assert message in answer.json()["message"]


def test_a_malformed_body_has_both_of_digitaloceans_forms(front: Front) -> None:
    headers = {"content-type": "application/json"}
    answer = front.client("admin").post(TAGS, content=b"{", headers=headers)
    assert answer.status_code == 400
    body = answer.json()
    assert (body["id"], body["error"], body["root_causes"]) == ("bad_request", body["message"], [])


def test_lists_have_pages_unasked(front: Front) -> None:
    for number in range(25):
        make(front, f"tag-{number:02}")
    answer = front.call("GET", TAGS).json()
    assert len(answer["tags"]) == 20
    assert answer["meta"] == {"total": 25}
    rest = front.client("admin").get(answer["links"]["pages"]["next"]).json()["tags"]
    assert [tag["name"] for tag in rest] == [f"tag-{number:02}" for number in range(20, 25)]
    assert len(list_names(front, "?per_page=200")) == 25


def test_the_audit_trail_has_it(front: Front, main: Json) -> None:
    make(front, "blue")
    front.call("POST", f"{TAGS}/blue/resources", name_resources(main))
    front.call("DELETE", f"{TAGS}/blue")
    events = front.call("GET", "/v1/events?limit=4").json()["events"]
    told = [(event["kind"], event["subject"], event["cluster_name"]) for event in events]
    assert told[:4] == [
        ("tag_delete", "blue", None),
        ("tag_unassign", "blue", "main"),
        ("tag_assign", "blue", "main"),
        ("tag_create", "blue", None),
    ]
