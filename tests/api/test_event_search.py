"""The audit trail: finding entries, turning its pages, and how long changes took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.api.front import Front
from tests.plane import wait_until


def test_events_that_are_looked_for(front: Front, main: Mapping[str, Any]) -> None:
    path = f"/v2/databases/{main['id']}"
    pool = {"name": "web", "mode": "session", "size": 5, "db": "defaultdb", "user": "doadmin"}
    assert front.call("POST", f"{path}/pools", body=pool).status_code == 201
    assert front.call("PUT", f"{path}/pools/web", body=pool | {"size": 6}).status_code == 204
    assert front.call("POST", f"{path}/users", body={"name": "anna%"}).status_code == 422
    assert front.call("POST", f"{path}/users", body={"name": "anna"}).status_code == 201

    def find(query: str) -> list[str]:
        events = front.call("GET", f"/v1/events?{query}").json()["events"]
        return [f"{event['kind']} {event['subject']}" for event in events]

    changes = ["user_create anna", "pool_update web", "pool_create web"]
    assert find("limit=3") == changes
    assert find("kind=pool_update") == changes[1:2]
    assert find("kind=pool_update&kind=user_create") == changes[:2]
    assert find("text=WEB") == changes[1:]
    assert find("text=session") == changes[1:]
    assert find("text=%25") == find("actor=nobody") == []
    assert find("actor=ADM&limit=1") == changes[:1]
    [newest] = front.call("GET", "/v1/events?limit=1").json()["events"]
    assert find(f"before={newest['id']}&limit=2") == changes[1:]
    [update] = front.call("GET", "/v1/events?kind=pool_update").json()["events"]
    assert (update["detail"]["size"], update["detail"]["before"]["size"]) == (6, 5)


def list_timed(front: Front, count: int) -> Any:
    """The newest events, if all of them have their times."""
    events = front.call("GET", f"/v1/events?limit={count}").json()["events"]
    return all(event["applied_ms"] is not None for event in events) and events


def test_events_tell_how_long_it_took(front: Front, main: Mapping[str, Any]) -> None:
    path = f"/v2/databases/{main['id']}"
    front.call("POST", f"{path}/users", body={"name": "anna"})
    front.call("POST", f"{path}/dbs", body={"name": "shop"})
    front.call("PUT", f"{path}/firewall", body={"rules": [{"type": "ip_addr", "value": "::1"}]})
    front.call("PATCH", f"{path}/config", body={"config": {"work_mem": 8}})
    front.call("DELETE", f"{path}/users/anna")
    events = wait_until("all have their times", lambda: list_timed(front, 5))
    assert [event["kind"] for event in events[:5]] == [
        *("user_delete", "config_update", "firewall_update", "database_create", "user_create")
    ]
    for event in events[:5]:
        assert 0 <= event["applied_ms"] < 60_000
    # Nobody waited for the cluster itself.
    creation = front.call("GET", "/v1/events?limit=6").json()["events"][5]
    assert (creation["kind"], creation["applied_ms"]) == ("cluster_create", None)


def test_events_of_what_was_taken_back_have_no_such_time(
    front: Front, main: Mapping[str, Any]
) -> None:
    front.reconciler.refusals["user:anna"] = "no"
    path = f"/v2/databases/{main['id']}/users"
    assert front.call("POST", path, body={"name": "anna"}).status_code == 422
    events = front.call("GET", "/v1/events?limit=2").json()["events"]
    assert [event["kind"] for event in events] == ["change_withdrawn", "user_create"]
    assert [event["applied_ms"] for event in events] == [None, None]


def test_every_change_says_what_was_before(front: Front, main: Mapping[str, Any]) -> None:
    cluster = f"/v2/databases/{main['id']}"
    pool = {"name": "web", "mode": "session", "size": 5, "db": "defaultdb", "user": "doadmin"}
    shape = {name: pool[name] for name in ("db", "user", "mode", "size")}
    token = front.call("POST", "/v1/tokens", {"name": "ci", "scopes": ["database:read"]})
    changes: list[tuple[str, str, object]] = [
        ("POST", f"{cluster}/pools", pool),
        ("PUT", f"{cluster}/pools/web", pool | {"mode": "transaction"}),
        ("DELETE", f"{cluster}/pools/web", None),
        ("POST", f"{cluster}/users", {"name": "app"}),
        ("PUT", f"{cluster}/users/app", {"settings": {"pg_allow_replication": True}}),
        ("PUT", f"{cluster}/maintenance", {"day": "monday", "hour": "05:00"}),
        ("PATCH", f"{cluster}/config", {"config": {"work_mem": 8}}),
        ("PATCH", f"{cluster}/config", {"config": {"work_mem": 9}}),
        ("PUT", f"{cluster}/resize", {"size": "db-s-1vcpu-2gb", "num_nodes": 1}),
        ("DELETE", f"/v1/tokens/{token.json()['token']['id']}", None),
    ]
    for method, path, body in changes:
        answer = front.call(method, path, body)
        assert answer.is_success, (path, answer.text)
    events = front.call("GET", f"/v1/events?limit={len(changes)}").json()["events"][::-1]
    assert {event["actor"] for event in events} == {"admin"}
    assert [(event["kind"], event["subject"], event["detail"]) for event in events] == [
        ("pool_create", "web", shape),
        ("pool_update", "web", shape | {"mode": "transaction", "before": shape}),
        ("pool_delete", "web", {"before": shape | {"mode": "transaction"}}),
        ("user_create", "app", {"pg_allow_replication": False}),
        (
            "user_update",
            "app",
            {"pg_allow_replication": True, "before": {"pg_allow_replication": False}},
        ),
        (
            "maintenance_update",
            "main",
            {
                **{"day": "monday", "hour": "05:00:00"},
                "before": {"day": "sunday", "hour": "03:00:00"},
            },
        ),
        ("config_update", "main", {"work_mem": "default → 8"}),
        ("config_update", "main", {"work_mem": "8 → 9"}),
        (
            "cluster_resize",
            "main",
            {
                **{"from": "db-s-1vcpu-1gb", "to": "db-s-1vcpu-2gb"},
                **{"storage_size_mib": 30720, "before": {"storage_size_mib": 10240}},
            },
        ),
        (
            "token_delete",
            "ci",
            {"id": token.json()["token"]["id"], "before": {"scopes": ["database:read"]}},
        ),
    ]
