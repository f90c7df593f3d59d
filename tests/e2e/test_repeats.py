"""The control plane dies between a creation and its answer: the call made again is answered."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import pytest

from tests.broken_network import swallow
from tests.e2e.mortal import Mortal, await_converged, running_mortal
from tests.e2e.service import log_in_as
from tests.killed import Step
from tests.plane import connect, wait_until

ANNOUNCE = "poolkeeper.store.changes:Changes.announce"
TELL = "poolkeeper.usecases.applied_times:AppliedTimes.note"
CLUSTER = {"engine": "pg", "num_nodes": 1, "size": "db-s-1vcpu-1gb", "region": "nyc1"}
SHAPE = {"mode": "transaction", "size": 1, "db": "defaultdb", "user": "doadmin"}

# Committed and nobody told; in force, and about to be told: by the thread that would answer, for
# another that dies may be overtaken by the answer.
STEPS = [Step("before", ANNOUNCE), Step("before", TELL)]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def mortal() -> Iterator[Mortal]:
    with running_mortal() as mortal:
        yield mortal


@pytest.fixture(autouse=True)
def _alive(mortal: Mortal) -> Iterator[None]:
    yield
    mortal.be_alive()


def make_again(mortal: Mortal, step: Step, path: str, body: Mapping[str, Any]) -> httpx.Response:
    """The control plane dies at the step of the first call; the answer to the second."""

    def post() -> httpx.Response:
        return mortal.client.post(path, json=body)

    assert mortal.call_until_death(step, post) is None
    mortal.live_again()
    again = post()
    assert again.status_code == 201, again.text
    third = post()
    assert (third.status_code, third.json()["id"]) == (422, "unprocessable_entity")
    assert third.json()["message"].endswith("name is not available")
    return again


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_pool(mortal: Mortal, step: Step) -> None:
    name = f"pool-{next(_numbers)}"
    answer = make_again(mortal, step, f"{mortal.service.address}/pools", {"name": name, **SHAPE})
    uri = answer.json()["pool"]["connection"]["uri"]
    with connect(uri) as client:
        assert client.execute("SELECT 1").fetchone() == (1,)
    mortal.service.delete_pool(name)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_user(mortal: Mortal, step: Step) -> None:
    name = f"user-{next(_numbers)}"
    answer = make_again(mortal, step, f"{mortal.service.address}/users", {"name": name})
    password = answer.json()["user"]["password"]
    cluster = mortal.client.get(mortal.service.address).json()["database"]
    uri = log_in_as(cluster["connection"]["uri"], name, password)
    with connect(uri) as client:
        assert client.execute("SELECT current_user").fetchone() == (name,)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_database(mortal: Mortal, step: Step) -> None:
    name = f"db-{next(_numbers)}"
    make_again(mortal, step, f"{mortal.service.address}/dbs", {"name": name})
    cluster = mortal.client.get(mortal.service.address).json()["database"]
    with connect(cluster["connection"]["uri"].replace("/defaultdb", f"/{name}")) as client:
        assert client.execute("SELECT current_database()").fetchone() == (name,)


def test_a_cluster(mortal: Mortal) -> None:
    body = {"name": f"cluster-{next(_numbers)}", **CLUSTER}
    answer = make_again(mortal, STEPS[0], "/v2/databases", body)
    cluster_id = answer.json()["database"]["id"]
    await_converged(mortal.client, cluster_id, 60)
    assert mortal.client.delete(f"/v2/databases/{cluster_id}").status_code == 204


def test_a_client_that_hung_up_over_tls(mortal: Mortal) -> None:
    """Its timeout is shorter than the call takes; it asks again, and is answered."""
    name = f"late-{next(_numbers)}"
    path, body = f"{mortal.service.address}/pools", json.dumps({"name": name, **SHAPE})
    with stopped(mortal.pids["PgBouncer"]), open_connection(mortal) as connection:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
            f"authorization: Bearer {mortal.plane.token}\r\n\r\n"
        )
        connection.sendall((head + body).encode())
        wait_until("it is committed", lambda: mortal.client.get(f"{path}/{name}").is_success)
        assert mortal.client.post(path, content=body).status_code == 422
        connection.close()
    again = mortal.client.post(path, content=body)
    assert again.status_code == 201, again.text
    with connect(again.json()["pool"]["connection"]["uri"]) as client:
        assert client.execute("SELECT 1").fetchone() == (1,)
    mortal.service.delete_pool(name)


def test_an_answer_that_the_network_swallowed_over_tls(mortal: Mortal) -> None:
    name = f"swallowed-{next(_numbers)}"
    path, body = f"{mortal.service.address}/pools", json.dumps({"name": name, **SHAPE})
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
        f"authorization: Bearer {mortal.plane.token}\r\n\r\n"
    )
    with open_connection(mortal) as connection:
        with stopped(mortal.pids["PgBouncer"]):
            connection.sendall((head + body).encode())
            wait_until("it is committed", lambda: mortal.client.get(f"{path}/{name}").is_success)
            swallow(connection)
            assert mortal.client.post(path, content=body).status_code == 422
        wait_until(
            "its answer counts as lost",
            lambda: mortal.client.post(path, content=body).status_code == 201,
        )
        assert mortal.client.post(path, content=body).status_code == 422
    mortal.service.delete_pool(name)


def test_programs_that_leave_at_once_were_answered(mortal: Mortal) -> None:
    for _ in range(5):
        body, statuses = {"name": f"prompt-{next(_numbers)}"}, []
        for _ in range(2):
            with mortal.plane.client() as client:
                answer = client.post(f"{mortal.service.address}/dbs", json=body)
                statuses.append(answer.status_code)
        assert statuses == [201, 422]


@contextlib.contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """Processes that do not move for a while: nothing comes in force."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def open_connection(mortal: Mortal) -> ssl.SSLSocket:
    """To the API, with nothing sent yet."""
    plain = socket.create_connection(("127.0.0.1", mortal.plane.api_port))
    context = ssl.create_default_context(cafile=str(mortal.plane.ca))
    return context.wrap_socket(plain, server_hostname="127.0.0.1")
