"""Trusted sources over ``/v2``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api.front import Front

Cluster = Mapping[str, Any]
Rule = dict[str, Any]

OFFICE: Rule = {"type": "ip_addr", "value": "192.0.2.0/24", "description": "the office"}
OTHERS: list[Rule] = [
    {"type": "droplet", "value": "163973392"},
    {"type": "k8s", "value": "ff2a6c52-5a44-4b63-b99c-0e98e7a63d61"},
    {"type": "tag", "value": "backend"},
    {"type": "app", "value": "5a4981aa-9653-4bd1-bef5-d6bff52042e4"},
]


def place(cluster: Cluster) -> str:
    return f"/v2/databases/{cluster['id']}/firewall"


def put(front: Front, cluster: Cluster, *rules: Rule) -> None:
    response = front.call("PUT", place(cluster), {"rules": [*rules]})
    assert (response.status_code, response.content) == (204, b""), response.text


def read(front: Front, cluster: Cluster) -> list[Rule]:
    response = front.call("GET", place(cluster))
    assert response.status_code == 200
    listed: list[Rule] = response.json()["rules"]
    return listed


def test_a_new_cluster_has_none(front: Front, main: Cluster) -> None:
    assert front.call("GET", place(main)).json() == {"rules": []}


def test_story(front: Front, main: Cluster) -> None:
    put(front, main, OFFICE, *OTHERS)
    listed = read(front, main)
    assert [{key: rule[key] for key in ("type", "value")} for rule in listed] == [
        {"type": rule["type"], "value": rule["value"]} for rule in (OFFICE, *OTHERS)
    ]
    for rule in listed:
        assert set(rule) == {"uuid", "cluster_uuid", "type", "value", "created_at", "description"}
        assert UUID(rule["uuid"]).version == 4
        assert rule["cluster_uuid"] == main["id"]
        assert rule["created_at"].endswith("Z")
    assert [rule["description"] for rule in listed] == ["the office", "", "", "", ""]
    assert len({rule["uuid"] for rule in listed}) == 5
    shown = front.call("GET", f"/v2/databases/{main['id']}").json()["database"]
    assert shown["rules"] == listed
    [shown] = front.call("GET", "/v2/databases").json()["databases"]
    assert shown["rules"] == listed
    put(front, main)
    assert read(front, main) == []


def test_doctl_appends_and_removes(front: Front, main: Cluster) -> None:
    put(front, main, OFFICE)
    [office] = read(front, main)
    blank = {"uuid": "", "cluster_uuid": "", "created_at": "0001-01-01T00:00:00Z"}
    put(front, main, office, blank | {"type": "ip_addr", "value": "198.51.100.7"})
    kept, added = read(front, main)
    assert kept == office
    assert added["value"] == "198.51.100.7"
    assert added["created_at"] > "2026"
    put(front, main, added)
    assert read(front, main) == [added]


def test_go_clients_drop_descriptions(front: Front, main: Cluster) -> None:
    put(front, main, OFFICE)
    [before] = read(front, main)
    put(front, main, {key: before[key] for key in ("uuid", "type", "value")})
    assert read(front, main) == [before | {"description": ""}]


def test_a_uuid_of_another_cluster_is_not_known(front: Front, main: Cluster) -> None:
    other = front.create_cluster("other")
    put(front, main, OFFICE)
    [rule] = read(front, main)
    put(front, other, rule)
    [copy] = read(front, other)
    assert copy["uuid"] != rule["uuid"]
    assert read(front, main) == [rule]


def test_of_two_that_say_the_same_one_is_kept(front: Front, main: Cluster) -> None:
    put(front, main, OFFICE)
    before = read(front, main)
    put(front, main, *before, OFFICE)
    assert read(front, main) == before


def test_null_is_an_empty_list(front: Front, main: Cluster) -> None:
    put(front, main, OFFICE)
    assert front.call("PUT", place(main), {"rules": None}).status_code == 204
    assert read(front, main) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "rules: is required"),
        ([], "the body must be a JSON object, sent as application/json"),
        ({"rules": {}}, "rules: must be a list"),
        ({"rules": ["10.0.0.1"]}, "rules.0: must be an object"),
        ({"rules": [{"type": "ip_addr"}]}, "rules.0.value: is required"),
        ({"rules": [{"value": "10.0.0.1"}]}, "rules.0.type: is required"),
        ({"rules": [OFFICE, {**OFFICE, "value": 10}]}, "rules.1.value: must be a string"),
        ({"rules": [{**OFFICE, "value": None}]}, "rules.0.value: must be a string"),
        ({"rules": [{**OFFICE, "description": 1}]}, "rules.0.description: must be a string"),
        ({"rules": [{**OFFICE, "uuid": "x"}]}, "rules.0.uuid: must be a UUID"),
        ({"rules": [{**OFFICE, "uuid": 1}]}, "rules.0.uuid: must be a string"),
        (
            {"rules": [{**OFFICE, "type": "host"}]},
            "rules.0.type: 'host' is none of droplet, k8s, ip_addr, tag, app",
        ),
        (
            {"rules": [OFFICE, {**OFFICE, "value": "nowhere"}]},
            "rules.1.value: 'nowhere' is no IP address, and no network such as 10.0.0.0/8",
        ),
        ({"rules": [OTHERS[0] | {"value": ""}]}, "rules.0.value: 1 to 255 printable characters"),
        (
            {"rules": [OTHERS[0] | {"value": "a\0"}]},
            "rules.0.value: 1 to 255 printable characters",
        ),
        (
            {"rules": [{**OFFICE, "description": "x" * 256}]},
            "rules.0.description: 0 to 255 printable characters",
        ),
        ({"rules": [OFFICE] * 101}, "rules: 101 given, 100 is the most"),
    ],
)
def test_bad_rules_change_nothing(front: Front, main: Cluster, body: Any, message: str) -> None:
    put(front, main, *OTHERS)
    before = front.look()
    response = front.call("PUT", place(main), body)
    assert (response.status_code, response.json()["message"]) == (422, message)
    assert front.look() == before


def test_unknown_cluster(front: Front, main: Cluster) -> None:
    for cluster_id in (uuid4(), "nope"):
        for method, body in (("GET", None), ("PUT", {"rules": []})):
            response = front.call(method, f"/v2/databases/{cluster_id}/firewall", body)
            assert (response.status_code, response.json()["message"]) == (404, "cluster not found")


def test_a_cluster_is_created_with_its_rules(front: Front) -> None:
    created = front.create_cluster("guarded", rules=[OFFICE, OTHERS[0]])
    assert [rule["value"] for rule in created["rules"]] == ["192.0.2.0/24", "163973392"]
    assert read(front, created) == created["rules"]


def test_a_dry_run_shows_and_stores_none(front: Front) -> None:
    before = front.look()
    shown = front.create_cluster("guarded", rules=[OFFICE], dry_run=True)
    assert [rule["value"] for rule in shown["rules"]] == ["192.0.2.0/24"]
    assert front.look() == before


def test_what_changed_is_an_event(front: Front, main: Cluster) -> None:
    put(front, main, OFFICE)
    put(front, main, OTHERS[2])
    put(front, main, OTHERS[2])
    put(front, main)
    events = front.call("GET", "/v1/events").json()["events"]
    told = [event["detail"] for event in events if event["kind"] == "firewall_update"]
    office, tag = "ip_addr:192.0.2.0/24", "tag:backend"
    assert told == [
        {"rules": 0, "added": [], "removed": [tag], "open_to": "everybody"},
        {"rules": 1, "added": [tag], "removed": [office], "open_to": []},
        {"rules": 1, "added": [office], "removed": [], "open_to": ["192.0.2.0/24"]},
    ]


def test_the_same_again_is_no_change(front: Front, main: Cluster) -> None:
    put(front, main, OFFICE, OTHERS[0])
    before = front.look()
    put(front, main, OFFICE, OTHERS[0])
    assert front.look() == before


def test_not_in_force_in_time_is_taken_back(front: Front, main: Cluster) -> None:
    put(front, main, OFFICE)
    before = read(front, main)
    front.reconciler.silent = True
    front.change(wait_seconds=0.3)
    response = front.call("PUT", place(main), {"rules": OTHERS})
    assert response.status_code == 503
    assert "was taken back" in response.json()["message"]
    assert read(front, main) == before
