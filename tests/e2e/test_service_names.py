"""Names of one's own: in the certificate of both servers, and nobody is cut for it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import psycopg
import pytest

from tests.plane import Plane, connect, create_cluster

Json = Mapping[str, Any]
NAME = "db.example.test"
OTHER = "Pools.Example.test"


@pytest.fixture(scope="module")
def pool(api: httpx.Client, cluster: Json) -> Json:
    body = {"name": "named", "mode": "transaction", "size": 2, "db": "defaultdb", "user": "doadmin"}
    answer = api.post(f"/v2/databases/{cluster['id']}/pools", json=body)
    assert answer.status_code == 201
    created: Json = answer.json()["pool"]
    return created


@pytest.fixture(autouse=True)
def _nameless(api: httpx.Client, cluster: Json) -> Iterator[None]:
    yield
    put_names(api, cluster)


def put_names(api: httpx.Client, cluster: Json, *names: str) -> None:
    body = {"do_settings": {"service_cnames": names}}
    answer = api.put(f"/v2/databases/{cluster['id']}/do_settings", json=body)
    assert answer.status_code == 204, answer.text


def connect_by(name: str, plane: Plane, place: Json) -> psycopg.Connection[tuple[Any, ...]]:
    """A client that insists on the name."""
    return connect(
        place["connection"]["uri"],
        host=name,
        hostaddr="127.0.0.1",
        sslmode="verify-full",
        sslrootcert=str(plane.ca),
    )


def test_both_servers_answer_to_them_when_the_call_returns(
    plane: Plane, api: httpx.Client, cluster: Json, pool: Json
) -> None:
    for place in (cluster, pool):
        with pytest.raises(psycopg.OperationalError, match="does not match host name"):
            connect_by(NAME, plane, place)
    for names in ((NAME,), (NAME, OTHER), (OTHER,)):
        put_names(api, cluster, *names)
        for place in (cluster, pool):
            for name in names:
                with connect_by(name, plane, place) as client:
                    assert client.execute("SELECT 1").fetchone() == (1,)
            with connect_by("localhost", plane, place) as client:
                assert client.execute("SELECT 1").fetchone() == (1,)
    for place in (cluster, pool):
        with pytest.raises(psycopg.OperationalError, match="does not match host name"):
            connect_by(NAME, plane, place)


def test_who_is_connected_stays_connected(
    plane: Plane, api: httpx.Client, cluster: Json, pool: Json
) -> None:
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(connect(place["connection"]["uri"])) for place in (cluster, pool)
        ]
        for client in clients:
            client.execute("BEGIN")
        before = [client.execute("SELECT pg_backend_pid()").fetchone() for client in clients]
        put_names(api, cluster, NAME)
        after = [client.execute("SELECT pg_backend_pid()").fetchone() for client in clients]
        assert after == before
        for client in clients:
            client.execute("COMMIT")


def test_a_new_cluster_is_born_with_them(plane: Plane, api: httpx.Client) -> None:
    settings = {"service_cnames": [NAME]}
    born = create_cluster(api, f"named-{uuid.uuid4().hex[:6]}", do_settings=settings)
    assert born["do_settings"] == settings
    with connect_by(NAME, plane, born) as client:
        assert client.execute("SELECT 1").fetchone() == (1,)
    assert api.delete(f"/v2/databases/{born['id']}").status_code == 204
