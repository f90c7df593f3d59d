"""Our own ``/v1``: where things stand, what a change would do, what happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import poolkeeper
from poolkeeper.domain.status import (
    ApplicationClients,
    ClusterState,
    Phase,
    PoolClients,
    PoolLoad,
    ServerProcess,
)
from poolkeeper.store import status
from tests.api.front import Front

POOL = {"name": "web", "mode": "transaction", "size": 10, "db": "defaultdb", "user": "doadmin"}
MOMENT = datetime(2026, 11, 1, 10, 0, 0, 250_000, UTC)


def test_health(front: Front) -> None:
    assert front.call("GET", "/v1/health").json() == {
        "status": "ok",
        "version": poolkeeper.__version__,
        "started_at": "2026-11-01T10:00:00.000Z",
    }


def test_a_cluster_nobody_has_seen_yet(front: Front) -> None:
    front.reconciler.silent = True
    cluster = front.create_cluster("new")
    standing = front.call("GET", f"/v1/clusters/{cluster['id']}").json()["cluster"]
    assert standing.pop("since").startswith(cluster["created_at"].rstrip("Z"))
    assert standing == {
        "id": cluster["id"],
        "name": "new",
        "phase": "creating",
        "reason": "",
        "step": "",
        "generation": 1,
        "applied_generation": 0,
        "budget": {"total": 22, "held": 0, "free": 22},
        "processes": [],
        "pools": [],
    }


def test_a_cluster_that_waits_says_why(front: Front) -> None:
    front.reconciler.silent = True
    cluster_id = front.create_cluster("new")["id"]
    with front.context.store.write() as tx:
        state = ClusterState(
            UUID(cluster_id), Phase.WAITING, "port 25060 is taken", MOMENT, step="initdb"
        )
        status.write_cluster_state(tx, state)
    standing = front.call("GET", f"/v1/clusters/{cluster_id}").json()["cluster"]
    assert (standing["phase"], standing["step"]) == ("waiting", "initdb")
    assert standing["reason"] == "port 25060 is taken"
    assert standing["since"] == "2026-11-01T10:00:00.250Z"


def test_standing_of_a_cluster_and_its_pool(front: Front, main: Mapping[str, Any]) -> None:
    cluster_id = UUID(main["id"])
    front.call("POST", f"/v2/databases/{main['id']}/pools", POOL)
    processes = (
        ServerProcess("postgres", 0, 100, "17.6", 25060, MOMENT),
        ServerProcess("pgbouncer", 0, 101, "1.26.1", 25061, MOMENT),
        ServerProcess("pgbouncer", 1, 102, "1.26.1", 25061, MOMENT),
        ServerProcess("pgbouncer", 2, 103, "1.26.1", 25061, MOMENT),
    )
    front.context.observations.put_processes(cluster_id, processes)
    load = PoolLoad(
        clients_active=4, clients_waiting=1, backends_active=3, backends_idle=2, maxwait_seconds=0.5
    )
    front.context.observations.put_loads(cluster_id, {"web": load})
    shop = ApplicationClients("shop", active=3, waiting=1, idle=1, maxwait_seconds=0.5)
    clients = PoolClients(MOMENT, (shop,), others=2)
    front.context.observations.put_clients(cluster_id, {"web": clients})
    answer = front.call("GET", f"/v1/clusters/{main['id']}").json()["cluster"]
    assert (answer["phase"], answer["generation"], answer["applied_generation"]) == ("active", 2, 2)
    assert answer["budget"] == {"total": 22, "held": 10, "free": 12}
    assert answer["processes"][1] == {
        "kind": "pgbouncer",
        "index": 0,
        "pid": 101,
        "version": "1.26.1",
        "port": 25061,
        "started_at": "2026-11-01T10:00:00.250Z",
    }
    pool = front.call("GET", f"/v1/clusters/{main['id']}/pools/web").json()["pool"]
    assert pool.pop("clients") == {
        "seen_at": "2026-11-01T10:00:00.250Z",
        "applications": [
            {
                "application": "shop",
                "active": 3,
                "waiting": 1,
                "idle": 1,
                "maxwait_seconds": 0.5,
            }
        ],
        "others": 2,
    }
    assert answer["pools"] == [pool]
    assert front.call("GET", "/v1/clusters").json() == {"clusters": [answer]}
    assert pool.pop("since").endswith("Z")
    assert pool == {
        "name": "web",
        "db": "defaultdb",
        "user": "doadmin",
        "mode": "transaction",
        "size": 10,
        "phase": "active",
        "reason": "",
        "generation": 2,
        "applied_generation": 2,
        "held": 10,
        "shares": [4, 3, 3],
        "clients_active": 4,
        "clients_waiting": 1,
        "backends_active": 3,
        "backends_idle": 2,
        "maxwait_seconds": 0.5,
    }


def test_a_pool_that_was_not_looked_at_yet(front: Front, main: Mapping[str, Any]) -> None:
    inbound = POOL | {"user": ""}
    front.call("POST", f"/v2/databases/{main['id']}/pools", inbound)
    pool = front.call("GET", f"/v1/clusters/{main['id']}/pools/web").json()["pool"]
    assert (pool["user"], pool["shares"]) == ("", [10])
    assert pool["clients_active"] is None and pool["maxwait_seconds"] is None


def test_unknown(front: Front, main: Mapping[str, Any]) -> None:
    for path, message in (
        (f"/v1/clusters/{main['id']}/pools/nope", "not found"),
        (f"/v1/clusters/{main['id'][:-1]}", "cluster not found"),
        ("/v1/clusters/main", "cluster not found"),
        ("/v1/clusters/main/pools/web", "cluster not found"),
    ):
        response = front.call("GET", path)
        assert (response.status_code, response.json()["message"]) == (404, message)
    response = front.call("POST", f"/v1/clusters/{main['id']}/pools/nope/plan", {})
    assert (response.status_code, response.json()["message"]) == (404, "not found")


def test_plan_says_what_a_change_would_do_and_does_nothing(
    front: Front, main: Mapping[str, Any]
) -> None:
    cluster = f"/v2/databases/{main['id']}"
    front.call("POST", f"{cluster}/pools", POOL)
    front.call("POST", f"{cluster}/pools", POOL | {"name": "other", "size": 2})
    front.call("POST", f"{cluster}/dbs", {"name": "app"})
    before = front.look()
    plan = f"/v1/clusters/{main['id']}/pools/web/plan"
    body = {"size": 15, "mode": "session", "db": "app", "user": ""}
    answer = front.call("POST", plan, body).json()["plan"]
    assert [(change["field"], change["from"], change["to"]) for change in answer["changes"]] == [
        ("size", "10", "15"),
        ("mode", "transaction", "session"),
        ("db", "defaultdb", "app"),
        ("user", "doadmin", "(as the connecting user)"),
    ]
    assert [change["effect"] for change in answer["changes"]] == [
        "live",
        "next-transaction",
        "next-transaction",
        "new-connections",
    ]
    assert all(change["detail"] for change in answer["changes"])
    assert answer["budget"] == {"total": 22, "held_by_others": 2, "asked": 15, "left": 5}
    assert (answer["disconnects"], answer["clients"]) == (0, None)
    assert "query_wait_timeout" in answer["warnings"][0]
    for nothing in ({}, {"size": None, "mode": None, "db": None, "user": None}, {"size": 10}):
        assert front.call("POST", plan, nothing).json()["plan"]["changes"] == []
    assert front.look() == before


def test_events_newest_first(front: Front, main: Mapping[str, Any]) -> None:
    cluster = f"/v2/databases/{main['id']}"
    other = front.create_cluster("other")
    front.call("POST", f"{cluster}/pools", POOL)
    front.call("DELETE", cluster)
    events = front.call("GET", "/v1/events").json()["events"]
    assert [(event["kind"], event["subject"]) for event in events] == [
        ("cluster_delete", "main"),
        ("pool_create", "web"),
        ("cluster_create", "other"),
        ("cluster_create", "main"),
    ]
    assert [event["id"] for event in events] == sorted(event["id"] for event in events)[::-1]
    event = events[1]
    assert event["at"].endswith("Z") and event.keys() == {
        *("id", "at", "actor", "kind", "cluster_id", "cluster_name", "subject", "detail"),
        "applied_ms",
    }
    assert (event["actor"], event["cluster_id"]) == ("admin", main["id"])
    assert event["cluster_name"] == "main"
    assert event["detail"] == {
        "db": "defaultdb",
        "user": "doadmin",
        "mode": "transaction",
        "size": 10,
    }
    assert front.call("GET", "/v1/events?limit=1").json()["events"] == events[:1]
    own = front.call("GET", f"/v1/events?cluster_id={other['id']}").json()["events"]
    assert own == [events[2]]
    gone = front.call("GET", f"/v1/events?cluster_id={main['id']}").json()["events"]
    assert len(gone) == 3


def test_events_asked_for_wrongly(front: Front) -> None:
    for query, message in (
        ("cluster_id=main", "cluster_id: must be a UUID"),
        ("cluster_id=", "cluster_id: must be a UUID"),
        ("limit=0", "limit: must be at least 1"),
        ("limit=1001", "limit: must be at most 1000"),
        ("limit=all", "limit: must be a whole number"),
        ("before=0", "before: must be at least 1"),
        (f"before={2**63}", f"before: must be at most {2**63 - 1}"),
    ):
        response = front.call("GET", f"/v1/events?{query}")
        assert (response.status_code, response.json()["message"]) == (422, message)
