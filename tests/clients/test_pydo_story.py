"""pydo, DigitalOcean's own Python client, plays the whole story over HTTPS.

Its codes count: it raises on any success but the one in DigitalOcean's description.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pydo
import pydo.aio
import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)
from azure.core.pipeline.transport import RequestsTransport
from cryptography import x509

from tests.clients.official import Official, poll
from tests.plane import Plane, connect, wait_until
from tests.shows import shows

Json = Mapping[str, Any]

CLUSTER = {
    "name": "story",
    "engine": "pg",
    "num_nodes": 1,
    "size": "db-s-1vcpu-1gb",
    "region": "nyc1",
    "tags": ["env:test"],
}


@pytest.fixture(scope="module")
def official(plane: Plane) -> Iterator[Official]:
    official = Official(plane)
    with contextlib.closing(official.client):
        yield official


@pytest.fixture(scope="module")
def cluster(official: Official) -> Iterator[Json]:
    """Created, polled until it is online, destroyed; this overrides the shared one."""
    created = official.databases.create_cluster(CLUSTER)["database"]
    assert (official.status, created["status"]) == (201, "creating")
    online = wait_until("the cluster is online", lambda: poll(official, created["id"]), 60)
    # `doctl databases create --wait` prints what the first answer said.
    assert online["connection"] == created["connection"]
    yield online
    assert official.databases.destroy_cluster(created["id"]) is None
    assert official.status == 204
    assert official.databases.get_cluster(created["id"])["id"] == "not_found"


@pytest.fixture(scope="module")
def ca(official: Official, cluster: Json, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cluster's CA as its API tells it, for ``sslmode=verify-full``."""
    certificate = official.databases.get_ca(cluster["id"])["ca"]["certificate"]
    assert official.status == 200
    path = tmp_path_factory.mktemp("story") / "ca.crt"
    path.write_bytes(base64.b64decode(certificate, validate=True))
    return path


def shape(**given: Any) -> dict[str, Any]:
    return {"mode": "transaction", "size": 2, "db": "defaultdb", "user": "doadmin", **given}


@contextlib.contextmanager
def pool(official: Official, cluster: Json, name: str, **given: Any) -> Iterator[Json]:
    """A pool for a while, created and deleted through pydo."""
    body = {"name": name, **shape(**given)}
    created = official.databases.add_connection_pool(cluster["id"], body)["pool"]
    assert official.status == 201
    try:
        yield created
    finally:
        assert official.databases.delete_connection_pool(cluster["id"], name) is None
        assert official.status == 204
        assert official.databases.get_connection_pool(cluster["id"], name)["id"] == "not_found"


def read_shape(official: Official, cluster: Json, name: str) -> dict[str, Any]:
    """The pool's fields as they are read back; the list must agree."""
    found: dict[str, Any] = official.databases.get_connection_pool(cluster["id"], name)["pool"]
    assert official.status == 200
    listed = official.databases.list_connection_pools(cluster["id"])["pools"]
    assert official.status == 200
    assert found in listed
    return {field: found[field] for field in ("mode", "size", "db", "user")}


# -- what there is -----------------------------------------------------------------------------


@shows("GET /v2/databases/options")
def test_options_name_what_can_be_created(official: Official, cluster: Json) -> None:
    found = official.databases.list_options()
    assert official.status == 200
    options = found["options"]["pg"]
    assert cluster["version"] == options["default_version"]
    assert cluster["version"] in options["versions"]
    assert cluster["region"] in options["regions"]
    assert any(cluster["size"] in layout["sizes"] for layout in options["layouts"])
    assert [each["version"] for each in found["version_availability"]["pg"]] == options["versions"]


@shows("GET /v2/databases", "GET /v2/databases/{id}")
def test_the_cluster_is_found_by_list_tag_and_id(official: Official, cluster: Json) -> None:
    assert cluster["id"] in [each["id"] for each in official.databases.list_clusters()["databases"]]
    assert official.status == 200
    tagged = official.databases.list_clusters(tag_name="env:test")["databases"]
    assert [each["id"] for each in tagged] == [cluster["id"]]
    assert official.databases.list_clusters(tag_name="env:other") == {"databases": []}
    found = official.databases.get_cluster(cluster["id"])["database"]
    assert (found["id"], found["name"]) == (cluster["id"], cluster["name"])


@shows("GET /v2/databases/{id}/ca")
def test_the_direct_uri_and_the_ca_work(official: Official, cluster: Json, ca: Path) -> None:
    again = official.databases.get_ca(cluster["id"])["ca"]["certificate"]
    assert base64.b64decode(again) == ca.read_bytes()
    assert (
        x509.load_pem_x509_certificate(ca.read_bytes())
        .extensions.get_extension_for_class(x509.BasicConstraints)
        .value.ca
    )
    uri = cluster["connection"]["uri"]
    with connect(uri, sslmode="verify-full", sslrootcert=str(ca)) as client:
        assert client.execute("SELECT current_database(), current_user").fetchone() == (
            "defaultdb",
            "doadmin",
        )
        [version] = client.execute("SHOW server_version").fetchone() or [""]
    assert cluster["semantic_version"] == version.split()[0]


# -- databases and users -----------------------------------------------------------------------


@shows(
    "GET /v2/databases/{id}/dbs",
    "POST /v2/databases/{id}/dbs",
    "GET /v2/databases/{id}/dbs/{database_name}",
    "DELETE /v2/databases/{id}/dbs/{database_name}",
)
def test_a_database_comes_and_goes(official: Official, cluster: Json) -> None:
    databases = official.databases
    assert databases.add(cluster["id"], {"name": "Order-Book"}) == {"db": {"name": "Order-Book"}}
    assert official.status == 201
    assert databases.get(cluster["id"], "Order-Book") == {"db": {"name": "Order-Book"}}
    names = [each["name"] for each in databases.list(cluster["id"])["dbs"]]
    assert sorted(names) == ["Order-Book", "defaultdb"]
    with connect(cluster["connection"]["uri"], dbname="Order-Book") as client:
        client.execute("CREATE TABLE orders (id bigint)")
    assert databases.delete(cluster["id"], "Order-Book") is None
    assert official.status == 204
    assert databases.get(cluster["id"], "Order-Book")["id"] == "not_found"


@shows(
    "GET /v2/databases/{id}/users",
    "POST /v2/databases/{id}/users",
    "GET /v2/databases/{id}/users/{username}",
    "PUT /v2/databases/{id}/users/{username}",
    "DELETE /v2/databases/{id}/users/{username}",
    "POST /v2/databases/{id}/users/{username}/reset_auth",
)
def test_a_user_comes_changes_and_goes(official: Official, cluster: Json) -> None:
    databases = official.databases
    created = databases.add_user(cluster["id"], {"name": "Ann-Lee"})["user"]
    assert official.status == 201
    assert (created["name"], created["role"]) == ("Ann-Lee", "normal")
    assert databases.get_user(cluster["id"], "Ann-Lee") == {"user": created}
    assert created in databases.list_users(cluster["id"])["users"]
    log_in_directly(cluster, created)

    change = {"settings": {"pg_allow_replication": True}}
    changed = databases.update_user(cluster["id"], "Ann-Lee", change)["user"]
    assert official.status == 201
    assert changed == {**created, **change}
    assert databases.get_user(cluster["id"], "Ann-Lee") == {"user": changed}

    renewed = databases.reset_auth(cluster["id"], "Ann-Lee", {})["user"]
    assert official.status == 200
    assert renewed["password"] != created["password"]
    assert renewed["settings"] == {"pg_allow_replication": True}
    log_in_directly(cluster, renewed)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        log_in_directly(cluster, created)

    assert databases.delete_user(cluster["id"], "Ann-Lee") is None
    assert official.status == 204
    assert databases.get_user(cluster["id"], "Ann-Lee")["id"] == "not_found"
    with pytest.raises(psycopg.OperationalError):
        log_in_directly(cluster, renewed)


def log_in_directly(cluster: Json, user: Json) -> None:
    uri = cluster["connection"]["uri"]
    with connect(uri, user=user["name"], password=user["password"]) as client:
        assert client.execute("SELECT current_user").fetchone() == (user["name"],)


# -- pools -------------------------------------------------------------------------------------


@shows(
    "GET /v2/databases/{id}/pools",
    "POST /v2/databases/{id}/pools",
    "GET /v2/databases/{id}/pools/{pool_name}",
    "DELETE /v2/databases/{id}/pools/{pool_name}",
)
def test_a_transaction_pool_at_work(official: Official, cluster: Json, ca: Path) -> None:
    with pool(official, cluster, "app-pool") as created:
        assert read_shape(official, cluster, "app-pool") == shape()
        check_connection(created, cluster)
        uri = created["connection"]["uri"]
        with connect(uri, sslmode="verify-full", sslrootcert=str(ca)) as client:
            client.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
            with client.transaction():
                client.execute("SET LOCAL statement_timeout = '60s'")
                client.execute("INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 10) n")
            for number in range(1, 11):  # psycopg prepares the statement on its own at the sixth
                client.execute("UPDATE accounts SET balance = 0 WHERE id = %s", [number])
            with contextlib.suppress(ZeroDivisionError), client.transaction():
                client.execute("DELETE FROM accounts")
                raise ZeroDivisionError
            counted = client.execute("SELECT count(*), sum(balance) FROM accounts").fetchone()
            assert counted == (10, 0)
            client.execute("DROP TABLE accounts")


def test_a_session_pool_at_work(official: Official, cluster: Json) -> None:
    with pool(official, cluster, "jobs_pool", mode="session") as created:
        assert read_shape(official, cluster, "jobs_pool") == shape(mode="session")
        uri = created["connection"]["uri"]
        with connect(uri) as worker, connect(uri) as other:
            worker.execute("SET application_name = 'worker'")
            worker.execute("CREATE TEMPORARY TABLE batch AS SELECT 7 AS job")
            worker.execute("PREPARE next_job AS SELECT job FROM batch")
            assert worker.execute("EXECUTE next_job").fetchone() == (7,)
            assert worker.execute("SHOW application_name").fetchone() == ("worker",)
            worker.execute("SELECT pg_advisory_lock(7)")
            assert other.execute("SELECT pg_try_advisory_lock(7)").fetchone() == (False,)
            worker.execute("LISTEN jobs")
            other.execute("NOTIFY jobs, 'done'")
            heard = next(worker.notifies(timeout=30, stop_after=1))
            assert (heard.channel, heard.payload) == ("jobs", "done")


def test_a_statement_pool_at_work(official: Official, cluster: Json) -> None:
    with pool(official, cluster, "reports", mode="statement") as created:
        assert read_shape(official, cluster, "reports") == shape(mode="statement")
        with connect(created["connection"]["uri"]) as client:
            rows = client.execute("SELECT n FROM generate_series(1, 3) AS n").fetchall()
            assert rows == [(1,), (2,), (3,)]
            with pytest.raises(psycopg.Error, match="transaction blocks not allowed"):
                client.execute("BEGIN")


@pytest.mark.parametrize("nobody", [{"user": ""}, {"user": None}, {}], ids=["empty", "null", "no"])
def test_an_inbound_pool_at_work(official: Official, cluster: Json, nobody: Json) -> None:
    user = official.databases.add_user(cluster["id"], {"name": "caller"})["user"]
    body = {**shape(), "name": "inbound"}
    del body["user"]
    created = official.databases.add_connection_pool(cluster["id"], {**body, **nobody})["pool"]
    try:
        assert official.status == 201
        assert read_shape(official, cluster, "inbound")["user"] == ""
        connection = created["connection"]
        assert (connection["user"], connection["password"]) == ("", "")
        assert connection["uri"].startswith("postgresql://:@")
        for name, password in (
            ("caller", user["password"]),
            ("doadmin", cluster["connection"]["password"]),
        ):
            uri = connection["uri"].replace("://:@", f"://{name}:{password}@")
            with connect(uri) as client:
                assert client.execute("SELECT current_user").fetchone() == (name,)
    finally:
        official.databases.delete_connection_pool(cluster["id"], "inbound")
        official.databases.delete_user(cluster["id"], "caller")


@shows("PUT /v2/databases/{id}/pools/{pool_name}")
def test_each_field_changes_and_nobody_is_disconnected(official: Official, cluster: Json) -> None:
    databases = official.databases
    databases.add(cluster["id"], {"name": "second"})
    user = databases.add_user(cluster["id"], {"name": "app"})["user"]
    with (
        pool(official, cluster, "live") as created,
        connect(created["connection"]["uri"]) as client,
    ):
        wanted = shape()
        for change in (
            {"size": 5},
            {"mode": "session"},
            {"mode": "transaction"},
            {"db": "second"},
            {"user": "app"},
            {"user": ""},
            {"size": 1, "mode": "statement", "db": "defaultdb", "user": "doadmin"},
        ):
            wanted = wanted | change
            assert databases.update_connection_pool(cluster["id"], "live", wanted) is None
            assert official.status == 204
            assert read_shape(official, cluster, "live") == wanted
            served = client.execute("SELECT current_database(), current_user").fetchone()
            assert served == (wanted["db"], "doadmin")
            check_login(official, cluster, wanted["user"] or "app", user)
    databases.delete_user(cluster["id"], "app")
    databases.delete(cluster["id"], "second")


def check_login(official: Official, cluster: Json, name: str, user: Json) -> None:
    """A login to pool ``live`` as that user works now."""
    found = official.databases.get_connection_pool(cluster["id"], "live")["pool"]["connection"]
    password = {"app": user, "doadmin": cluster["connection"]}[name]["password"]
    with connect(found["uri"], user=name, password=password) as client:
        assert client.execute("SELECT current_user").fetchone() == (name,)


def test_a_new_password_reaches_the_pools_uri(official: Official, cluster: Json) -> None:
    databases = official.databases
    databases.add_user(cluster["id"], {"name": "rotated"})
    with pool(official, cluster, "rotating", user="rotated") as created:
        before = created["connection"]["uri"]
        with connect(before) as staying:
            user = databases.reset_auth(cluster["id"], "rotated", {})["user"]
            found = databases.get_connection_pool(cluster["id"], "rotating")["pool"]["connection"]
            assert found["password"] == user["password"]
            with connect(found["uri"]) as client:
                assert client.execute("SELECT current_user").fetchone() == ("rotated",)
            with pytest.raises(psycopg.OperationalError, match="authentication failed"):
                connect(before)
            assert staying.execute("SELECT 1").fetchone() == (1,)
    databases.delete_user(cluster["id"], "rotated")


def check_connection(created: Json, cluster: Json) -> None:
    """A pool is on its cluster's host, one port above, and bears its own name."""
    connection, direct = created["connection"], cluster["connection"]
    assert connection["host"] == direct["host"]
    assert connection["port"] == direct["port"] + 1
    assert connection["database"] == created["name"]
    assert (connection["protocol"], connection["ssl"]) == ("postgresql", True)
    assert created["private_connection"] == connection


# -- errors ------------------------------------------------------------------------------------


def test_what_is_not_there_is_returned_not_raised(official: Official, cluster: Json) -> None:
    databases, unknown = official.databases, "2f1ab7b1-51a5-4ee4-9f7c-0c7f0f4a3f0e"
    for answer, message in (
        (databases.get_cluster(unknown), "cluster not found"),
        (databases.get_cluster("not-even-an-id"), "cluster not found"),
        (databases.list_connection_pools(unknown), "cluster not found"),
        (databases.get_connection_pool(cluster["id"], "nope"), "not found"),
        (databases.get_user(cluster["id"], "nope"), "not found"),
        (databases.delete(cluster["id"], "nope"), "not found"),
    ):
        assert (answer["id"], answer["message"]) == ("not_found", message)


def test_a_refusal_is_raised_with_our_reason(official: Official, cluster: Json) -> None:
    with pytest.raises(HttpResponseError) as raised:
        official.databases.add_connection_pool(cluster["id"], {"name": "big", **shape(size=1000)})
    error = raised.value
    assert error.status_code == 422
    assert error.response is not None
    problem = error.response.json()
    assert problem["id"] == "unprocessable_entity"
    # Pools that were deleted a moment ago still hold their share.
    assert re.match(r"size: asked for 1000, \d+ left of 22 backend", problem["message"])
    # What somebody sees who only prints the exception.
    assert problem["message"] in str(error)
    assert problem["request_id"] == error.response.headers["x-request-id"]


def test_a_wrong_token_is_an_authentication_error(plane: Plane) -> None:
    stranger = Official(plane, token="0" * 64)
    with contextlib.closing(stranger.client), pytest.raises(ClientAuthenticationError) as raised:
        stranger.databases.list_clusters()
    assert raised.value.status_code == 401
    assert "Unable to authenticate you." in str(raised.value)


def test_plain_http_is_refused_by_pydo_itself(plane: Plane) -> None:
    client = pydo.Client(plane.token, endpoint=plane.url.replace("https:", "http:"))
    with contextlib.closing(client), pytest.raises(ServiceRequestError, match="TLS"):
        client.databases.list_clusters(retry_total=0)


# -- asyncio -----------------------------------------------------------------------------------


def test_pydo_aio_plays_the_same_story(plane: Plane, cluster: Json) -> None:
    asyncio.run(play(plane, cluster["id"]))


async def play(plane: Plane, cluster_id: str) -> None:
    statuses: list[int] = []
    async with pydo.aio.Client(
        plane.token,
        endpoint=plane.url,
        connection_verify=str(plane.ca),
        raw_response_hook=lambda response: statuses.append(response.http_response.status_code),
    ) as client:
        databases = client.databases
        await databases.add(cluster_id, {"name": "aio"})
        await databases.add_user(cluster_id, {"name": "aio"})
        body = {"name": "aio-pool", **shape(db="aio", user="aio")}
        uri = (await databases.add_connection_pool(cluster_id, body))["pool"]["connection"]["uri"]
        async with await psycopg.AsyncConnection.connect(uri, autocommit=True) as connection:
            asked = await connection.execute("SELECT current_database(), current_user")
            assert await asked.fetchone() == ("aio", "aio")
            change = shape(db="aio", user="aio", size=3)
            await databases.update_connection_pool(cluster_id, "aio-pool", change)
            found = await databases.get_connection_pool(cluster_id, "aio-pool")
            assert found["pool"]["size"] == 3
            asked = await connection.execute("SELECT 1")
            assert await asked.fetchone() == (1,)
        await databases.delete_connection_pool(cluster_id, "aio-pool")
        await databases.delete_user(cluster_id, "aio")
        await databases.delete(cluster_id, "aio")
        missing = await databases.get_connection_pool(cluster_id, "aio-pool")
        assert missing["id"] == "not_found"
    assert statuses == [201, 201, 201, 204, 200, 204, 204, 204, 404]


class LosingTransport(RequestsTransport):
    """A gateway that got the answer to the first POST, and says that it did not."""

    lost = 0

    def send(self, request: Any, **kwargs: Any) -> Any:
        response = super().send(request, **kwargs)
        if request.method == "POST" and not self.lost:
            assert response.status_code == 201
            self.lost, response.status_code = 1, 504
        return response


def test_an_answer_that_a_gateway_lost_is_given_again(
    plane: Plane, official: Official, cluster: Json
) -> None:
    losing = LosingTransport(connection_verify=str(plane.ca))
    client = pydo.Client(plane.token, endpoint=plane.url, transport=losing)
    with contextlib.closing(client):
        made = client.databases.add(cluster["id"], {"name": "lost"})
        assert (losing.lost, made) == (1, {"db": {"name": "lost"}})
        with pytest.raises(HttpResponseError, match="database name is not available"):
            client.databases.add(cluster["id"], {"name": "lost"})
    official.databases.delete(cluster["id"], "lost")
