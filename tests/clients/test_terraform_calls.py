"""What Terraform's provider asks, call for call: create, refresh, edit, destroy.

The provider itself is made of godo, which test_godo.py runs. Here the order of its calls
counts, their parallelism (ten at once), and the answers that it takes for the end of the world.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import httpx
import psycopg
import pytest

from tests.plane import Plane, connect, running_plane, wait_until

Json = Mapping[str, Any]
PARALLELISM = 10


class Provider:
    """The provider's client: godo's headers, and bodies with every field."""

    def __init__(self, client: httpx.Client) -> None:
        client.headers["content-type"] = "application/json"
        client.headers["user-agent"] = "Terraform/1.11.4 (+https://www.terraform.io)"
        self._client = client

    def ask(self, method: str, path: str, body: Json | None = None, *, status: int) -> Any:
        answer = self._client.request(method, path, json=body)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def create_cluster(self, name: str) -> Json:
        body = {
            "name": name,
            "engine": "pg",
            "version": "",
            "size": "db-s-1vcpu-1gb",
            "region": "nyc1",
            "num_nodes": 1,
            "private_network_uuid": "",
            "project_id": "",
            "tags": ["production"],
            "rules": None,
        }
        created = self.ask("POST", "/v2/databases", body, status=201)["database"]
        address = f"/v2/databases/{created['id']}"
        online: Json = wait_until(
            "online", lambda: self._online(self.ask("GET", address, status=200)["database"]), 60
        )
        return online

    def create_pool(self, cluster: Json, name: str, **shape: object) -> Json:
        """POST, then GET: the provider reads what it made before it believes it."""
        address = f"/v2/databases/{cluster['id']}/pools"
        body = {"user": "", "name": name, "size": 1, "db": "defaultdb", "mode": "transaction"}
        self.ask("POST", address, {**body, **shape}, status=201)
        found: Json = self.ask("GET", f"{address}/{name}", status=200)["pool"]
        return found

    @staticmethod
    def _online(cluster: Json) -> Json | None:
        return cluster if cluster["status"] == "online" else None


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    """One of its own, with plenty of time between two calls, however slow a machine is."""
    with running_plane("--empty", drain_seconds=60, request_wait_seconds=30) as plane:
        yield plane


@pytest.fixture
def provider(plane: Plane) -> Iterator[Provider]:
    with plane.client() as client:
        yield Provider(client)


@pytest.fixture
def built(provider: Provider) -> Iterator[Json]:
    cluster = provider.create_cluster(f"tf-acc-test-{uuid.uuid4().hex[:10]}")
    yield cluster
    provider.ask("DELETE", f"/v2/databases/{cluster['id']}", status=204)


def at_once(call: Callable[[int], object], count: int = PARALLELISM) -> None:
    """Ten at a time, as Terraform does if not told otherwise."""
    with ThreadPoolExecutor(PARALLELISM) as pool:
        list(pool.map(call, range(count)))


def test_a_cluster_has_all_that_the_provider_stores(provider: Provider, built: Json) -> None:
    for name in ("private_network_uuid", "project_id", "storage_size_mib", "metrics_endpoints"):
        assert built[name], name
    for connection in (built["connection"], built["private_connection"]):
        assert all(connection[name] for name in ("host", "port", "user", "password", "uri"))
    # The data source: a list by name, then autoscale, which has to be there.
    listed = provider.ask("GET", "/v2/databases?page=1&per_page=200", status=200)["databases"]
    assert built["id"] in [each["id"] for each in listed if each["name"] == built["name"]]
    autoscale = provider.ask("GET", f"/v2/databases/{built['id']}/autoscale", status=200)
    assert autoscale["storage"]["enabled"] is False


def test_a_whole_configuration_is_applied_refreshed_and_destroyed(
    provider: Provider, built: Json
) -> None:
    address = f"/v2/databases/{built['id']}"

    def create_database(number: int) -> None:
        provider.ask("POST", f"{address}/dbs", {"name": f"db-{number}"}, status=201)
        provider.ask("GET", f"{address}/dbs/db-{number}", status=200)

    def create_user(number: int) -> None:
        # The schema's null settings arrive as an empty object.
        body = {"name": f"user-{number}", "settings": {}}
        provider.ask("POST", f"{address}/users", body, status=201)
        provider.ask("GET", f"{address}/users/user-{number}", status=200)

    def create_pool(number: int) -> None:
        provider.create_pool(built, f"pool-{number}", user=f"user-{number}", db=f"db-{number}")

    def refresh(number: int) -> None:
        pool = provider.ask("GET", f"{address}/pools/pool-{number}", status=200)["pool"]
        assert (pool["user"], pool["size"]) == (f"user-{number}", 1)

    def destroy(kind: str, name: str) -> Callable[[int], object]:
        return lambda n: provider.ask("DELETE", f"{address}/{kind}/{name}-{n}", status=204)

    for step in (create_database, create_user, create_pool, refresh):
        at_once(step)
    for kind, name in (("pools", "pool"), ("users", "user"), ("dbs", "db")):
        at_once(destroy(kind, name))
    provider.ask("GET", f"{address}/pools/pool-1", status=404)


def test_an_edited_pool_is_replaced_under_its_clients(provider: Provider, built: Json) -> None:
    pool = provider.create_pool(built, "web", user="doadmin", size=2)
    stop = threading.Event()
    at_work: list[int] = []
    failures: list[Exception] = []

    def work() -> None:
        try:
            with connect(pool["connection"]["uri"]) as client:
                client.execute("SELECT 1")
                at_work.append(threading.get_ident())
                while not stop.is_set():
                    client.execute("SELECT pg_sleep(0.005)")
        except psycopg.Error as error:
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    try:
        wait_until("all are connected", lambda: len(at_work) == len(workers) or failures)
        for size in (5, 3, 22):
            address = f"/v2/databases/{built['id']}/pools/web"
            provider.ask("DELETE", address, status=204)
            provider.ask("GET", address, status=404)
            with pytest.raises(psycopg.OperationalError, match="no authentication method is found"):
                connect(pool["connection"]["uri"])
            assert provider.create_pool(built, "web", user="doadmin", size=size)["size"] == size
            connect(pool["connection"]["uri"]).close()
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert failures == []


def test_between_delete_and_create_the_budget_is_kept_for_that_name(
    provider: Provider, built: Json
) -> None:
    pools = f"/v2/databases/{built['id']}/pools"
    shape = {"user": "doadmin", "db": "defaultdb", "mode": "transaction"}
    provider.create_pool(built, "large", size=22)
    provider.ask("DELETE", f"{pools}/large", status=204)
    with ThreadPoolExecutor(1) as elsewhere:
        other = elsewhere.submit(
            provider.ask, "POST", pools, {**shape, "name": "other", "size": 1}, status=201
        )
        assert not wait([other], timeout=1).done
        provider.ask("POST", pools, {**shape, "name": "large", "size": 21}, status=201)
        assert other.result()["pool"]["size"] == 1


def test_a_pool_that_does_not_come_back_leaves_its_budget_to_others(
    provider: Provider, built: Json
) -> None:
    pools = f"/v2/databases/{built['id']}/pools"
    provider.create_pool(built, "large", user="doadmin", size=22)
    provider.ask("DELETE", f"{pools}/large", status=204)
    assert provider.create_pool(built, "other", user="doadmin", size=22)["size"] == 22


def test_a_cluster_is_updated_in_place(provider: Provider, built: Json) -> None:
    address = f"/v2/databases/{built['id']}"
    resources = {"resources": [{"resource_id": built["id"], "resource_type": "database"}]}
    provider.ask("POST", "/v2/tags", {"name": "staging"}, status=201)
    provider.ask("POST", "/v2/tags/staging/resources", resources, status=204)
    provider.ask("DELETE", "/v2/tags/production/resources", resources, status=204)
    window = {"day": "friday", "hour": "04:00:00"}
    provider.ask("PUT", f"{address}/maintenance", window, status=204)
    storage = {"enabled": True, "threshold_percent": 80, "increment_gib": 10}
    provider.ask("PUT", f"{address}/autoscale", {"storage": storage}, status=204)
    size = {"size": "db-s-1vcpu-2gb", "num_nodes": 1, "storage_size_mib": 30720}
    provider.ask("PUT", f"{address}/resize", size, status=202)
    online = wait_until(
        "online", lambda: provider._online(provider.ask("GET", address, status=200)["database"])
    )
    assert (online["size"], online["tags"]) == ("db-s-1vcpu-2gb", ["staging"])
    assert online["maintenance_window"]["day"] == "friday"
    assert built["connection"] == online["connection"]


def test_trusted_sources_are_a_resource_of_their_own(provider: Provider, built: Json) -> None:
    address = f"/v2/databases/{built['id']}/firewall"
    rule = {"type": "ip_addr", "value": "127.0.0.1", "uuid": "", "cluster_uuid": ""}
    # godo sends the zero of Go's time where it has none.
    rules = {"rules": [{**rule, "created_at": "0001-01-01T00:00:00Z"}]}
    provider.ask("PUT", address, rules, status=204)
    (found,) = provider.ask("GET", address, status=200)["rules"]
    assert uuid.UUID(found["uuid"])
    provider.ask("PUT", address, {"rules": []}, status=204)
    assert provider.ask("GET", address, status=200) == {"rules": []}


@pytest.mark.parametrize("kind", ["", "/pools/web", "/users/app", "/dbs/app", "/firewall", "/ca"])
def test_an_import_of_what_is_not_there_is_not_found(provider: Provider, kind: str) -> None:
    refusal = provider.ask("GET", f"/v2/databases/this-cluster-id-does-not-exist{kind}", status=404)
    assert refusal["message"] == "cluster not found"


def test_settings_of_postgresql_are_made_read_and_edited(provider: Provider, built: Json) -> None:
    """``digitalocean_database_postgresql_config``: PATCH, then GET; its end asks nothing.

    What the provider's own test sets, and a setting of every kind that it has.
    """
    address = f"/v2/databases/{built['id']}/config"

    def put(config: Json) -> Json:
        """godo leaves out what is nil, and has no word for taking a setting back."""
        assert provider.ask("PATCH", address, {"config": config}, status=200) is None
        found: Json = provider.ask("GET", address, status=200)["config"]
        return found

    first = {"timezone": "UTC", "jit": True, "timescaledb": {"max_background_workers": 1}}
    made = put(first)
    assert {name: made[name] for name in first} == first
    # The provider reads both without looking whether they are there.
    assert isinstance(made["pgbouncer"], dict)
    every = {
        **first,
        "jit": False,
        "autovacuum_vacuum_scale_factor": 0.25,
        "log_error_verbosity": "VERBOSE",
        "pg_partman_bgw.role": "partman",
        "pg_partman_bgw.interval": 7200,
        "pg_stat_statements.track": "all",
        "stat_monitor_enable": False,
        "shared_buffers_percentage": 30,
        "work_mem": 8,
        "pgbouncer": {
            "min_pool_size": 1,
            "server_idle_timeout": 300,
            "ignore_startup_parameters": ["extra_float_digits", "search_path"],
        },
    }
    edited = put(every)
    assert {name: edited[name] for name in every.keys() - {"pgbouncer"}} == {
        name: value for name, value in every.items() if name != "pgbouncer"
    }
    pgbouncer = every["pgbouncer"]
    assert isinstance(pgbouncer, dict)
    assert edited["pgbouncer"] == {**made["pgbouncer"], **pgbouncer}
    # A refresh finds no difference to what is in the file.
    assert put(every) == edited
    with connect(built["connection"]["uri"]) as client:
        assert client.execute("SHOW jit").fetchone() == ("off",)
        assert client.execute("SHOW timescaledb.max_background_workers").fetchone() == ("1",)
