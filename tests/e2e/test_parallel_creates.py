"""Ten at a time, as Terraform does: databases, users and pools of a cluster that is young."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.creation import held_creation
from tests.e2e.mortal import ask_for_cluster
from tests.plane import Plane, connect, create_cluster, running_plane, wait_until

SIDE_BY_SIDE = 10
# No call waits longer: the product gives up after two minutes. How long they take is a figure of
# scripts/bench.
PATIENCE = 150.0

Call = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Told:
    """What came of a call."""

    path: str
    status: int
    text: str


@pytest.fixture
def address(api: httpx.Client, request: pytest.FixtureRequest) -> Iterator[str]:
    """A cluster that was asked for this instant, with room for many pools."""
    name = f"young-{request.node.name.rpartition('_')[2][:20]}"
    answer = ask_for_cluster(api, name, size="db-s-2vcpu-4gb")
    assert answer.status_code == 201, answer.text
    address = f"/v2/databases/{answer.json()['database']['id']}"
    yield address
    assert api.delete(address).status_code == 204


def make_calls(plane: Plane, address: str, calls: Sequence[Call]) -> list[Told]:
    """Ten clients make the calls, each with a connection of its own."""

    def make(call: Call) -> Told:
        path, body = call
        with plane.client(timeout=PATIENCE) as client:
            answer = client.post(address + path, json=body)
        return Told(path, answer.status_code, answer.text)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as clients:
        return list(clients.map(make, calls))


def list_databases(count: int, prefix: str = "db") -> list[Call]:
    return [("/dbs", {"name": f"{prefix}-{number}"}) for number in range(count)]


def list_users(count: int, prefix: str = "user") -> list[Call]:
    return [("/users", {"name": f"{prefix}-{number}"}) for number in range(count)]


def list_pools(count: int) -> list[Call]:
    shape = {"mode": "transaction", "size": 2}
    return [
        ("/pools", {"name": f"pool-{n}", "db": f"db-{n % 10}", "user": f"user-{n % 10}", **shape})
        for n in range(count)
    ]


def check_all_made(told: Sequence[Told]) -> None:
    assert {each.status for each in told} == {201}, [each for each in told if each.status != 201]


def await_online(api: httpx.Client, address: str) -> None:
    def is_online() -> bool:
        return bool(api.get(address).json()["database"]["status"] == "online")

    wait_until("the cluster is online", is_online, 60)


def test_kind_by_kind(plane: Plane, api: httpx.Client, address: str) -> None:
    # The first ten wait for the cluster, too.
    check_all_made(make_calls(plane, address, list_databases(10)))
    check_all_made(make_calls(plane, address, list_users(10)))
    check_all_made(make_calls(plane, address, list_pools(20)))
    pools = api.get(f"{address}/pools").json()["pools"]
    assert len(pools) == 20
    for pool in pools:
        with connect(pool["connection"]["uri"]) as client:
            found = client.execute("SELECT current_database(), current_user").fetchone()
            assert found == (pool["db"], pool["user"])


def test_in_any_order(plane: Plane, api: httpx.Client, address: str) -> None:
    await_online(api, address)
    check_all_made(make_calls(plane, address, [*list_databases(10), *list_users(10)]))
    calls = [*list_databases(10, "more"), *list_users(10, "more"), *list_pools(20)]
    random.Random(7).shuffle(calls)
    check_all_made(make_calls(plane, address, calls))


def test_reading_never_waits(plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]) -> None:
    """Fifty calls wait for a cluster; whoever reads does not."""
    with ThreadPoolExecutor(50) as callers:
        with held_creation(plane):
            answer = ask_for_cluster(api, "held")
            address = f"/v2/databases/{answer.json()['database']['id']}"
            waiting = [
                callers.submit(make_calls, plane, address, [each]) for each in list_users(50)
            ]
            wait_until("all are under way", lambda: all(each.running() for each in waiting))
            for path in ("", "/dbs", "/users", "/pools", "/ca"):
                answer = api.get(address + path)
                assert answer.status_code == 200, answer.text
            assert not any(each.done() for each in waiting)
        check_all_made([told for each in waiting for told in each.result()])
    assert api.delete(address).status_code == 204


@pytest.mark.timeout(300)
def test_fifty_databases_at_once_are_made_however_long_that_takes() -> None:
    """Each waits for its turn: together they take longer than a call waits for nothing."""
    with (
        running_plane("--empty", "--request-wait-seconds", "6") as plane,
        plane.client() as client,
    ):
        address = f"/v2/databases/{create_cluster(client, 'crowded')['id']}"
        await_online(client, address)
        with ThreadPoolExecutor(50) as callers:
            waiting = [
                callers.submit(make_calls, plane, address, [call]) for call in list_databases(50)
            ]
            check_all_made([told for each in waiting for told in each.result()])
        assert len(client.get(f"{address}/dbs").json()["dbs"]) == 51
