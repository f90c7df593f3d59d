"""What happened to a cluster, in DigitalOcean's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.api.front import Front

Json = Mapping[str, Any]


def list_events(front: Front, cluster: Json, query: str = "") -> list[Json]:
    answer = front.call("GET", f"/v2/databases/{cluster['id']}/events{query}")
    assert answer.status_code == 200, answer.text
    events: list[Json] = answer.json()["events"]
    return events


def test_changes_are_updates_newest_first(front: Front, main: Json) -> None:
    front.call("POST", f"/v2/databases/{main['id']}/dbs", {"name": "app"})
    events = list_events(front, main)
    assert [event["event_type"] for event in events] == ["cluster_update", "cluster_create"]
    assert {event["cluster_name"] for event in events} == {"main"}
    for event in events:
        assert set(event) == {"id", "cluster_name", "event_type", "create_time"}
        assert re.fullmatch(r"\d+", event["id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["create_time"])


def test_what_happened_to_others_is_not_told(front: Front, main: Json) -> None:
    other = front.create_cluster("other")
    front.call("POST", "/v2/tags", {"name": "blue"})
    assert [event["event_type"] for event in list_events(front, main)] == ["cluster_create"]
    assert {event["cluster_name"] for event in list_events(front, other)} == {"other"}


def test_pages(front: Front, main: Json) -> None:
    for name in ("one", "two", "three"):
        front.call("POST", f"/v2/databases/{main['id']}/dbs", {"name": name})
    whole = list_events(front, main)
    assert len(whole) == 4
    assert list_events(front, main, "?page=2&per_page=3") == whole[3:]


def test_a_deleted_cluster_is_not_there(front: Front, main: Json) -> None:
    assert front.call("DELETE", f"/v2/databases/{main['id']}").status_code == 204
    answer = front.call("GET", f"/v2/databases/{main['id']}/events")
    assert (answer.status_code, answer.json()["message"]) == (404, "cluster not found")
