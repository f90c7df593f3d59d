"""Ten at a time, as Terraform does: databases, users and pools of a cluster that is young."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.e2e.mortal import ask_for_cluster
from tests.plane import Plane, connect, create_cluster, running_plane, wait_until

SIDE_BY_SIDE = 10
# Of a call whose cluster is online, beside what this machine takes for the work itself.
A_FEW_SECONDS = 5.0
# No call waits longer: the product gives up after two minutes.
PATIENCE = 150.0

Call = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Told:
    """What came of a call."""

    path: str
    status: int
    text: str
    seconds: float


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
            began = time.monotonic()
            answer = client.post(address + path, json=body)
            seconds = time.monotonic() - began
        return Told(path, answer.status_code, answer.text, seconds)

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
    print(sorted(round(each.seconds, 2) for each in told))
    assert {each.status for each in told} == {201}, [each for each in told if each.status != 201]


def check_soon_made(told: Sequence[Told], alone: float) -> None:
    """Together they took little longer than one after the other, at ``alone`` seconds each."""
    check_all_made(told)
    assert max(each.seconds for each in told) < A_FEW_SECONDS + 2 * alone * len(told)


def measure_one(plane: Plane, address: str) -> float:
    """The seconds that this machine takes just now for a call that is alone."""
    told = make_calls(plane, address, list_databases(1, "alone"))
    check_all_made(told)
    return told[0].seconds


def await_online(api: httpx.Client, address: str) -> None:
    def is_online() -> bool:
        return bool(api.get(address).json()["database"]["status"] == "online")

    wait_until("the cluster is online", is_online, 60)


def test_kind_by_kind(plane: Plane, api: httpx.Client, address: str) -> None:
    # The first ten wait for the cluster, too.
    check_all_made(make_calls(plane, address, list_databases(10)))
    alone = measure_one(plane, address)
    check_soon_made(make_calls(plane, address, list_users(10)), alone)
    check_soon_made(make_calls(plane, address, list_pools(20)), alone)
    pools = api.get(f"{address}/pools").json()["pools"]
    assert len(pools) == 20
    for pool in pools:
        with connect(pool["connection"]["uri"]) as client:
            found = client.execute("SELECT current_database(), current_user").fetchone()
            assert found == (pool["db"], pool["user"])


def test_in_any_order(plane: Plane, api: httpx.Client, address: str) -> None:
    await_online(api, address)
    alone = measure_one(plane, address)
    check_soon_made(make_calls(plane, address, [*list_databases(10), *list_users(10)]), alone)
    calls = [*list_databases(10, "more"), *list_users(10, "more"), *list_pools(20)]
    random.Random(7).shuffle(calls)
    check_soon_made(make_calls(plane, address, calls), alone)


def test_reading_never_waits(plane: Plane, api: httpx.Client, address: str) -> None:
    """Fifty calls wait for a cluster; whoever reads does not."""

    def read() -> float:
        longest = 0.0
        for path in ("", "/dbs", "/users", "/pools", "/ca"):
            began = time.monotonic()
            answer = api.get(address + path)
            longest = max(longest, time.monotonic() - began)
            assert answer.status_code == 200, answer.text
        return longest

    usual = read()
    with ThreadPoolExecutor(50) as callers:
        waiting = [callers.submit(make_calls, plane, address, [call]) for call in list_users(50)]
        longest = usual
        while not all(each.done() for each in waiting):
            longest = max(longest, read())
        assert longest < A_FEW_SECONDS + 10 * usual
        check_all_made([told for each in waiting for told in each.result()])


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
