"""pydo's other methods: what surrounds databases, users and pools, and what cannot be had.

Together with test_pydo_story.py every method of pydo's ``databases`` is called.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from azure.core.exceptions import HttpResponseError
from pydo.operations import DatabasesOperations

from poolkeeper.domain.maintenance import DAYS
from tests.clients.official import Json, Official, poll
from tests.compatibility import list_operations, list_showings, name_method
from tests.plane import Plane, connect, create_cluster, wait_until
from tests.shows import shows

NOT_FOR_POSTGRESQL = re.compile("kafka|search_index|logsink|eviction_policy|sql_mode")
METHODS = [
    name
    for name, _ in inspect.getmembers(DatabasesOperations, callable)
    if not name.startswith("_")
]


@pytest.fixture(scope="module")
def official(plane: Plane) -> Iterator[Official]:
    official = Official(plane)
    with contextlib.closing(official.client):
        yield official


@pytest.fixture
def resized(official: Official, api: httpx.Client) -> Iterator[Json]:
    """A cluster whose size is changed."""
    cluster = create_cluster(api, f"resized-{uuid.uuid4().hex[:8]}")
    yield cluster
    assert official.databases.destroy_cluster(cluster["id"]) is None


def ask(cluster: Json, question: str) -> Any:
    """PostgreSQL's own answer, asked directly."""
    with connect(cluster["connection"]["uri"]) as client:
        (answer,) = client.execute(question).fetchone() or (None,)
        return answer


def refusal(call: Any, *arguments: Any) -> str:
    """The message of a call that is answered 422."""
    with pytest.raises(HttpResponseError) as refused:
        call(*arguments)
    assert refused.value.status_code == 422
    assert refused.value.response is not None
    answer = refused.value.response.json()
    assert answer["id"] == "unprocessable_entity"
    return str(answer["message"])


def test_every_method_of_pydo_is_called() -> None:
    """Each test is held to what it says it shows; all that pydo has is said by one."""
    shown = {each.operation for each in list_showings() if "test_pydo" in each.file}
    called = {
        name_method(operation.id).removeprefix("databases.")
        for operation in list_operations()
        if operation.id is not None and operation.name in shown
    }
    called |= {name for name in METHODS if NOT_FOR_POSTGRESQL.search(name)}
    assert sorted(set(METHODS) - called) == []


@shows("POST /v2/databases", "GET /v2/databases/{id}", "DELETE /v2/databases/{id}")
def test_a_cluster_is_created_and_destroyed(official: Official) -> None:
    body = {
        **{"name": f"brief-{uuid.uuid4().hex[:8]}", "engine": "pg", "num_nodes": 1},
        **{"size": "db-s-1vcpu-1gb", "region": "nyc1"},
    }
    created = official.databases.create_cluster(body)["database"]
    assert (official.status, created["status"]) == (201, "creating")
    online = wait_until("it is online", lambda: poll(official, created["id"]), 60)
    assert ask(online, "SELECT 1") == 1
    assert official.databases.destroy_cluster(created["id"]) is None
    assert official.status == 204
    assert official.databases.get_cluster(created["id"])["id"] == "not_found"


@shows("GET /v2/databases/{id}/firewall", "PUT /v2/databases/{id}/firewall")
def test_trusted_sources_are_replaced_and_read(official: Official, cluster: Json) -> None:
    databases = official.databases
    assert databases.list_firewall_rules(cluster["id"]) == {"rules": []}
    rule = {"type": "ip_addr", "value": "127.0.0.0/8", "description": "this machine"}
    assert databases.update_firewall_rules(cluster["id"], {"rules": [rule]}) is None
    assert official.status == 204
    (found,) = databases.list_firewall_rules(cluster["id"])["rules"]
    assert official.status == 200
    assert {key: found[key] for key in rule} == rule
    assert found["cluster_uuid"] == cluster["id"]
    assert ask(cluster, "SELECT 1") == 1
    only_elsewhere = {"rules": [{"type": "ip_addr", "value": "127.9.9.9"}]}
    databases.update_firewall_rules(cluster["id"], only_elsewhere)
    with pytest.raises(psycopg.OperationalError):
        ask(cluster, "SELECT 1")
    databases.update_firewall_rules(cluster["id"], {"rules": []})
    assert ask(cluster, "SELECT 1") == 1


@shows("GET /v2/databases/{id}/config", "PATCH /v2/databases/{id}/config")
def test_a_changed_setting_is_in_force_when_the_call_returns(
    official: Official, cluster: Json
) -> None:
    databases = official.databases
    before = databases.get_config(cluster["id"])["config"]
    assert official.status == 200
    change = {"config": {"log_min_duration_statement": 777, "pgbouncer": {"server_lifetime": 900}}}
    assert databases.patch_config(cluster["id"], change) is None
    assert official.status == 200
    assert ask(cluster, "SHOW log_min_duration_statement") == "777ms"
    after = databases.get_config(cluster["id"])["config"]
    assert after["pgbouncer"] == {**before["pgbouncer"], "server_lifetime": 900}
    assert {**before, "log_min_duration_statement": 777, "pgbouncer": after["pgbouncer"]} == after
    wrong = {"config": {"log_min_duration_statement": "often"}}
    assert "log_min_duration_statement" in refusal(databases.patch_config, cluster["id"], wrong)


@shows("PUT /v2/databases/{id}/resize")
def test_resize_answers_at_once_and_comes_to_its_end(official: Official, resized: Json) -> None:
    body = {"size": "db-s-1vcpu-2gb", "num_nodes": 1}
    assert official.databases.update_cluster_size(resized["id"], body) is None
    assert official.status == 202
    online = wait_until("it is online again", lambda: poll(official, resized["id"]), 60)
    assert online["size"] == "db-s-1vcpu-2gb"
    assert online["connection"] == resized["connection"]
    assert ask(resized, "SHOW max_connections") == "50"


@shows(
    "PUT /v2/databases/{id}/maintenance",
    "PUT /v2/databases/{id}/install_update",
    "GET /v2/databases/{id}/events",
)
def test_maintenance_is_announced_and_made_when_asked(official: Official, cluster: Json) -> None:
    databases = official.databases
    # In three days: none that opens just now.
    day = DAYS[(datetime.now(UTC).weekday() + 3) % 7]
    window = {"day": day, "hour": "23:15"}
    assert databases.update_maintenance_window(cluster["id"], window) is None
    assert official.status == 204
    databases.patch_config(cluster["id"], {"config": {"max_worker_processes": 11}})

    def read_window() -> Json:
        found: Json = databases.get_cluster(cluster["id"])["database"]["maintenance_window"]
        return found

    wait_until("the restart is announced", lambda: read_window()["pending"])
    announced = read_window()
    assert (announced["day"], announced["hour"]) == (day, "23:15:00")
    assert "max_worker_processes" in announced["description"][0]
    assert ask(cluster, "SHOW max_worker_processes") != "11"
    assert databases.install_update(cluster["id"]) is None
    assert official.status == 204
    wait_until("it was made", lambda: not read_window()["pending"])
    assert ask(cluster, "SHOW max_worker_processes") == "11"
    kinds = [event["event_type"] for event in databases.list_events_logs(cluster["id"])["events"]]
    assert official.status == 200
    assert "cluster_maintenance_perform" in kinds
    assert "cluster_create" in kinds


@shows("GET /v2/databases/{id}/autoscale", "PUT /v2/databases/{id}/autoscale")
def test_autoscale_is_kept_in_both_shapes(official: Official, cluster: Json) -> None:
    databases = official.databases
    storage = {"enabled": True, "threshold_percent": 70, "increment_gib": 20}
    for body in ({"storage": storage}, {"autoscale": {"storage": storage}}):
        assert databases.update_autoscale(cluster["id"], body) is None
        assert official.status == 204
    found = databases.get_autoscale(cluster["id"])
    assert official.status == 200
    assert found["storage"] == found["autoscale"]["storage"] == storage


@shows("GET /v2/databases/{id}/do_settings", "PUT /v2/databases/{id}/do_settings")
def test_service_names_stand_in_the_certificate(
    official: Official, cluster: Json, plane: Plane
) -> None:
    databases = official.databases
    body = {"do_settings": {"service_cnames": ["db.example.test"]}}
    assert databases.update_do_settings(cluster["id"], body) is None
    assert official.status == 204
    assert databases.get_do_settings(cluster["id"]) == body
    by_name = {"host": "db.example.test", "hostaddr": "127.0.0.1"}
    verified = {"sslmode": "verify-full", "sslrootcert": str(plane.ca)}
    with connect(cluster["connection"]["uri"], **by_name, **verified) as client:
        assert client.execute("SELECT 1").fetchone() == (1,)


@shows(
    "GET /v2/tags",
    "POST /v2/tags",
    "GET /v2/tags/{tag_id}",
    "DELETE /v2/tags/{tag_id}",
    "POST /v2/tags/{tag_id}/resources",
    "DELETE /v2/tags/{tag_id}/resources",
)
def test_tags_are_made_given_and_taken(official: Official, cluster: Json) -> None:
    tags = official.client.tags
    resources = {"resources": [{"resource_id": cluster["id"], "resource_type": "database"}]}
    assert tags.create({"name": "team:red"})["tag"]["name"] == "team:red"
    assert official.status == 201
    assert tags.assign_resources("team:red", resources) is None
    assert official.status == 204
    assert tags.get("team:red")["tag"]["resources"]["databases"]["count"] == 1
    listed = official.databases.list_clusters(tag_name="team:red")["databases"]
    assert [each["id"] for each in listed] == [cluster["id"]]
    assert tags.unassign_resources("team:red", resources) is None
    assert "team:red" in [tag["name"] for tag in tags.list()["tags"]]
    assert tags.delete("team:red") is None
    assert official.status == 204


@shows("GET /v2/account")
def test_the_account_is_this_installation(official: Official) -> None:
    account = official.client.account
    assert account.get()["account"]["status"] == "active"
    assert official.status == 200


@shows("GET /v2/databases/metrics/credentials", "PUT /v2/databases/metrics/credentials")
def test_metrics_are_read_with_the_credentials(official: Official, plane: Plane) -> None:
    databases = official.databases
    credentials = {"basic_auth_username": "scraper", "basic_auth_password": "a-long-password-1"}
    body = {"credentials": credentials}
    assert databases.update_cluster_metrics_credentials(body) is None
    assert official.status == 204
    assert databases.get_cluster_metrics_credentials() == body
    with plane.client() as client:
        scraped = client.get("/metrics", auth=("scraper", "a-long-password-1"))
        assert scraped.status_code == 200
        assert "poolkeeper_" in scraped.text
        assert client.get("/metrics", auth=("scraper", "wrong")).status_code == 401


@shows(
    "GET /v2/databases/{id}/replicas",
    "POST /v2/databases/{id}/replicas",
    "GET /v2/databases/{id}/replicas/{replica_name}",
    "DELETE /v2/databases/{id}/replicas/{replica_name}",
    "PUT /v2/databases/{id}/replicas/{replica_name}/promote",
    "GET /v2/databases/{id}/backups",
    "PUT /v2/databases/{id}/migrate",
    "PUT /v2/databases/{id}/upgrade",
    "GET /v2/databases/{id}/online-migration",
    "PUT /v2/databases/{id}/online-migration",
    "DELETE /v2/databases/{id}/online-migration/{migration_id}",
)
def test_what_needs_a_second_node_or_a_backup_is_refused(official: Official, cluster: Json) -> None:
    databases, id = official.databases, cluster["id"]
    replica = {"name": "copy", "size": "db-s-1vcpu-1gb", "region": "nyc1"}
    source = {"host": "127.0.0.1", "port": 5432, "dbname": "a", "username": "b", "password": "c"}
    assert databases.list_replicas(id) == {"replicas": []}
    assert refusal(databases.create_replica, id, replica)
    assert databases.get_replica(id, "copy")["id"] == "not_found"
    assert databases.destroy_replica(id, "copy")["id"] == "not_found"
    assert databases.promote_replica(id, "copy")["id"] == "not_found"
    assert "pg_dump" in refusal(databases.list_backups, id)
    assert refusal(databases.update_region, id, {"region": "ams3"})
    assert refusal(databases.update_major_version, id, {"version": "99"})
    assert databases.get_migration_status(id)["id"] == "not_found"
    assert refusal(databases.update_online_migration, id, {"source": source})
    assert databases.delete_online_migration(id, str(uuid.uuid4()))["id"] == "not_found"
    assert ask(cluster, "SELECT 1") == 1


@pytest.mark.parametrize("name", [each for each in METHODS if NOT_FOR_POSTGRESQL.search(each)])
def test_what_is_for_other_engines_is_refused(name: str, official: Official, cluster: Json) -> None:
    method = getattr(official.databases, name)
    named = [
        parameter
        for parameter in inspect.signature(method).parameters
        if parameter not in ("database_cluster_uuid", "body", "kwargs")
    ]
    body = [{}] if "body" in inspect.signature(method).parameters else []
    arguments = ["1" for _ in named]
    message = refusal(method, cluster["id"], *arguments, *body)
    assert message == "operation is not supported for this cluster type"
