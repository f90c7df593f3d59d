"""``/metrics`` and the credentials that protect it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, event, select

import poolkeeper
from poolkeeper.domain.status import ClusterState, Phase, PoolLoad
from poolkeeper.domain.tokens import READ, UPDATE, VIEW_CREDENTIALS
from poolkeeper.store import status
from poolkeeper.store.schema import unanswered
from tests.api.front import Front
from tests.plane import wait_until

ADDRESS = "/v2/databases/metrics/credentials"
POOL = {"name": "web", "mode": "session", "size": 5, "db": "defaultdb", "user": "doadmin"}

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def read_credentials(front: Front, *scopes: str) -> tuple[str, str]:
    client = front.client(*(scopes or ("admin",)))
    credentials = client.get(ADDRESS).json()["credentials"]
    return credentials["basic_auth_username"], credentials["basic_auth_password"]


def update_credentials(front: Front, username: object, password: object) -> httpx.Response:
    credentials = {"basic_auth_username": username, "basic_auth_password": password}
    return front.call("PUT", ADDRESS, {"credentials": credentials})


def scrape(front: Front) -> Samples:
    """Every sample, by its name and labels."""
    answer = front.connect(None).get("/metrics", auth=read_credentials(front))
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def get(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"poolkeeper_{name}", frozenset(labels.items())))


def test_credentials_are_made_once(front: Front) -> None:
    with ThreadPoolExecutor(10) as callers:
        found = set(callers.map(lambda _: read_credentials(front), range(20)))
    assert len(found) == 1
    [(username, password)] = found
    assert (username, len(password)) == ("metrics", 24)


def test_the_password_is_shown_to_whoever_may_see_passwords(front: Front) -> None:
    username, password = read_credentials(front, UPDATE, VIEW_CREDENTIALS)
    assert password
    assert read_credentials(front, UPDATE) == (username, "")


def test_new_credentials_take_the_place_of_the_old(front: Front) -> None:
    old = read_credentials(front)
    new = ("scraper", "long-password")
    assert update_credentials(front, *new).status_code == 204
    assert read_credentials(front) == new
    client = front.connect(None)
    assert client.get("/metrics", auth=new).status_code == 200
    assert client.get("/metrics", auth=old).status_code == 401
    [noted] = front.call("GET", "/v1/events").json()["events"]
    assert noted["kind"] == "metrics_credentials_update"
    assert (noted["subject"], noted["actor"]) == ("scraper", "admin")
    assert new[1] not in str(noted)


@pytest.mark.parametrize(
    ("username", "password", "field"),
    [
        ("", "a-long-password", "basic_auth_username"),
        ("with:colon", "a-long-password", "basic_auth_username"),
        ("x" * 64, "a-long-password", "basic_auth_username"),
        ("line\n", "a-long-password", "basic_auth_username"),
        ("scraper", "short", "basic_auth_password"),
        ("scraper", "x" * 129, "basic_auth_password"),
        ("scraper", "with a space", "basic_auth_password"),
        ("scraper", "schlüsselwort", "basic_auth_password"),
        ("scraper", 12345678, "basic_auth_password"),
        (None, "a-long-password", "basic_auth_username"),
    ],
)
def test_credentials_that_cannot_be(
    front: Front, username: object, password: object, field: str
) -> None:
    before = read_credentials(front)
    answer = update_credentials(front, username, password)
    assert (answer.status_code, answer.json()["id"]) == (422, "unprocessable_entity")
    assert f"credentials.{field}" in answer.json()["message"]
    assert str(password) not in answer.json()["message"]
    assert read_credentials(front) == before


@pytest.mark.parametrize("body", [{}, {"credentials": None}, {"credentials": {}}, []])
def test_without_credentials_nothing_is_updated(front: Front, body: object) -> None:
    before = read_credentials(front)
    assert front.call("PUT", ADDRESS, body).status_code == 422
    assert read_credentials(front) == before


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic nonsense",
        "Basic " + b64encode(b"no-colon").decode(),
        "Basic " + b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + b64encode(b":").decode(),
        "Basic " + b64encode(b"metrics:").decode(),
        "Basic " + b64encode(b"metrics:wrong").decode(),
        "Basic " + b64encode("metrics:pässword".encode()).decode(),
    ],
)
def test_nobody_scrapes_without_the_credentials(front: Front, header: str | None) -> None:
    read_credentials(front)
    headers = {} if header is None else {"authorization": header}
    answer = front.connect(None).get("/metrics", headers=headers)
    assert (answer.status_code, answer.json()["id"]) == (401, "unauthorized")
    assert answer.headers.get_list("www-authenticate") == [
        'Basic realm="Poolkeeper metrics", charset="UTF-8"'
    ]
    assert "poolkeeper_" not in answer.text


def test_a_token_and_half_the_credentials_do_not_suffice(front: Front) -> None:
    username, password = read_credentials(front)
    client = front.connect(None)
    assert front.client("admin").get("/metrics").status_code == 401
    assert client.get("/metrics", auth=("somebody", password)).status_code == 401
    assert client.get("/metrics", auth=(username, password[:-1])).status_code == 401
    assert client.get("/metrics", auth=(username, password + "x")).status_code == 401


def test_as_long_as_nobody_asked_for_credentials_nobody_has_any(front: Front) -> None:
    assert front.connect(None).get("/metrics", auth=("metrics", "")).status_code == 401
    with front.context.store.read() as tx:
        assert tx.connection.exec_driver_sql("SELECT * FROM metrics_credentials").all() == []


def test_it_is_text_for_prometheus(front: Front) -> None:
    answer = front.connect(None).get("/metrics", auth=read_credentials(front))
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert get(scrape(front), "build_info", version=poolkeeper.__version__) == 1
    assert get(scrape(front), "start_time_seconds") == front.app.state.started_at.timestamp()


def test_a_cluster_and_its_pools(front: Front, main: Mapping[str, Any]) -> None:
    assert front.call("POST", f"/v2/databases/{main['id']}/pools", POOL).status_code == 201
    loads = {"web": PoolLoad(7, 3, 5, 1, 1.25)}
    front.context.observations.put_loads(UUID(main["id"]), loads)
    samples = scrape(front)
    assert get(samples, "cluster_up", cluster="main") == 1
    assert get(samples, "cluster_phase", cluster="main", phase="active") == 1
    assert get(samples, "cluster_phase", cluster="main", phase="parked") == 0
    assert get(samples, "cluster_pending_changes", cluster="main") == 0
    assert get(samples, "cluster_budget_connections", cluster="main") == 22
    assert get(samples, "cluster_held_connections", cluster="main") == 5
    web = {"cluster": "main", "pool": "web"}
    assert get(samples, "pool_in_force", **web) == 1
    assert get(samples, "pool_size_connections", **web) == 5
    assert get(samples, "pool_held_connections", **web) == 5
    assert get(samples, "pool_clients_active", **web) == 7
    assert get(samples, "pool_clients_waiting", **web) == 3
    assert get(samples, "pool_backends_active", **web) == 5
    assert get(samples, "pool_backends_idle", **web) == 1
    assert get(samples, "pool_max_wait_seconds", **web) == 1.25


def test_nothing_old_is_told_of_a_cluster_that_is_down(
    front: Front, main: Mapping[str, Any]
) -> None:
    cluster_id = UUID(main["id"])
    assert front.call("POST", f"/v2/databases/{main['id']}/pools", POOL).status_code == 201
    front.context.observations.put_loads(cluster_id, {"web": PoolLoad(7, 3, 5, 1, 1.25)})
    front.reconciler.silent = True
    with front.context.store.write() as tx:
        state = status.read_cluster_state(tx, cluster_id)
        assert state is not None
        status.write_cluster_state(tx, _wait(state))
    samples = scrape(front)
    assert get(samples, "cluster_up", cluster="main") == 0
    assert get(samples, "cluster_phase", cluster="main", phase="waiting") == 1
    assert get(samples, "pool_size_connections", cluster="main", pool="web") == 5
    assert get(samples, "pool_clients_active", cluster="main", pool="web") is None


def test_reading_takes_as_many_queries_for_ten_clusters_as_for_one(front: Front) -> None:
    front.reconciler.silent = True
    front.create_cluster("first")
    alone = _count_fewest_statements(front)
    for number in range(9):
        front.create_cluster(f"more-{number}")
    assert _count_fewest_statements(front) == alone


def test_the_credentials_take_the_scope_of_updating(front: Front) -> None:
    body = {"credentials": {"basic_auth_username": "a", "basic_auth_password": "12345678"}}
    assert front.client(READ).put(ADDRESS, json=body).status_code == 403
    assert front.client(READ).get(ADDRESS).status_code == 403
    assert front.client(UPDATE).put(ADDRESS, json=body).status_code == 204


def test_clusters_name_the_address_of_the_metrics(front: Front, main: Mapping[str, Any]) -> None:
    front.change(api_port=18443)
    cluster = front.call("GET", f"/v2/databases/{main['id']}").json()["database"]
    assert cluster["metrics_endpoints"] == [{"host": "db.example", "port": 18443}]


def _wait(state: ClusterState) -> ClusterState:
    return replace(state, phase=Phase.WAITING, reason="PostgreSQL does not answer")


def _list_unanswered(front: Front) -> list[Any]:
    with front.context.store.read() as tx:
        return [*tx.connection.execute(select(unanswered))]


def _count_fewest_statements(front: Front) -> int:
    """Of some times: others may be at something, too."""
    wait_until("what has been answered is tidied up after", lambda: _list_unanswered(front) == [])
    return min(_count_statements(front) for _ in range(5))


def _count_statements(front: Front) -> int:
    auth, statements = read_credentials(front), []

    def count(*facts: Any) -> None:
        statements.append(facts[2])

    event.listen(Engine, "before_cursor_execute", count)
    try:
        assert front.connect(None).get("/metrics", auth=auth).status_code == 200
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    return len(statements)
