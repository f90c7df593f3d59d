"""A cluster gets another size: PostgreSQL is restarted, clients of pools wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.inside import Inside, Watch
from tests.e2e.load import running_load
from tests.e2e.service import Service, fails_with
from tests.plane import Plane, connect, create_cluster, running_plane, wait_until

SMALL, LARGE = "db-s-1vcpu-1gb", "db-s-1vcpu-2gb"
# Longer than all that is done meanwhile takes on a busy machine.
WAIT = 20


@pytest.fixture(scope="module")
def own_plane() -> Iterator[Plane]:
    """A control plane whose planned restarts wait for a while."""
    waits = {"restart_wait_seconds": WAIT, "request_wait_seconds": 30}
    with running_plane("--empty", drain_seconds=1, **waits) as plane:
        yield plane


class Resized(Service):
    """A cluster with its inner side, and pools for all modes."""

    def __init__(self, plane: Plane, api: httpx.Client) -> None:
        super().__init__(api, create_cluster(api, "resized"))
        self.plane = plane
        self.inside = Inside(plane, self.id)

    def resize(self, size: str, **more: Any) -> None:
        answer = self.try_resize(size, **more)
        assert (answer.status_code, answer.content) == (202, b""), answer.text

    def try_resize(self, size: str, **more: Any) -> Any:
        return self.api.put(f"{self.address}/resize", json={"size": size, "num_nodes": 1, **more})

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(self.address).json()["database"]
        return found

    def await_online(self, timeout: float = 60) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.read()
            return found if found["status"] == "online" else None

        found: dict[str, Any] = wait_until("it is online again", look, timeout)
        return found

    def show(self, name: str) -> str:
        with self.inside.connect() as connection:
            (value,) = connection.execute(f"SHOW {name}").fetchall()[0]
        return str(value)

    def list_restarts(self) -> list[dict[str, Any]]:
        """Details of the planned restarts, newest first."""
        found = self.api.get("/v1/events", params={"cluster_id": self.id}).json()["events"]
        kind = "cluster_maintenance_perform"
        return [event["detail"] for event in found if event["kind"] == kind]

    def uri(self, pool: str) -> str:
        answer = self.api.get(f"{self.address}/pools/{pool}").json()
        return str(answer["pool"]["connection"]["uri"])


@pytest.fixture(scope="module")
def resized(own_plane: Plane) -> Iterator[Resized]:
    with own_plane.client() as api:
        service = Resized(own_plane, api)
        service.create_pool("busy", size=4)
        service.create_pool("single", size=2, mode="statement")
        service.create_pool("sessions", size=2, mode="session")
        yield service


@pytest.fixture(autouse=True)
def small(resized: Resized) -> None:
    """Each test begins with the smaller size."""
    if resized.read()["size"] != SMALL:
        resized.resize(SMALL)
    resized.await_online()


def test_up_and_down_under_load(resized: Resized) -> None:
    before = resized.show("shared_buffers")
    with (
        running_load(resized.uri("busy"), 8) as load,
        running_load(resized.uri("single"), 4) as single,
        running_load(resized.uri("busy"), 2, reconnect=True) as coming_and_going,
    ):
        for size, connections, budget in ((LARGE, "50", 47), (SMALL, "25", 22)):
            resized.resize(size)
            assert resized.read()["status"] in ("resizing", "online")
            online = resized.await_online()
            assert (online["size"], online["storage_size_mib"]) == (size, 30 * 1024)
            for each in (load, single, coming_and_going):
                each.await_turns()
            assert resized.show("max_connections") == connections
            assert resized.read_cluster()["budget"]["total"] == budget
    for each in (load, single, coming_and_going):
        assert not each.errors
    assert resized.show("shared_buffers") == before
    restart = resized.list_restarts()[0]
    assert restart["cause"] == "asked"
    assert "max_connections" in restart["reasons"][0]
    assert restart["paused_ms"] > 0
    assert (restart["cut_sessions"], restart["cut_transactions"]) == (0, 0)


def test_the_same_size_restarts_nothing(resized: Resized) -> None:
    pid, restarts = resized.inside.read_pid(), resized.list_restarts()
    resized.resize(SMALL)
    assert resized.read()["status"] == "online"
    # More storage is set while it runs.
    storage = resized.read()["storage_size_mib"] + 1024
    resized.resize(SMALL, storage_size_mib=storage)
    assert resized.await_online()["storage_size_mib"] == storage
    assert (resized.inside.read_pid(), resized.list_restarts()) == (pid, restarts)


def test_a_client_in_session_mode_is_cut_after_the_wait(resized: Resized) -> None:
    with connect(resized.uri("sessions")) as client, running_load(resized.uri("busy"), 4) as load:
        client.execute("SELECT 1")
        began = time.monotonic()
        resized.resize(LARGE)
        wait_until("it waits", lambda: "session mode (1)" in resized.read_cluster()["reason"])
        assert resized.read()["status"] == "resizing"
        assert resized.read()["maintenance_window"]["pending"] is True
        # Nothing else waits: neither clients of other pools nor changes.
        load.await_turns(20)
        resized.create_pool("meanwhile", size=1)
        resized.delete_pool("meanwhile")
        assert client.execute("SELECT 2").fetchone() == (2,)
        assert time.monotonic() - began < WAIT
        resized.await_online()
        assert time.monotonic() - began >= WAIT
        load.await_turns()
        assert "connection" in fails_with(lambda: client.execute("SELECT 3"))
    assert not load.errors
    restart = resized.list_restarts()[0]
    assert (restart["cut_sessions"], restart["cut_transactions"]) == (1, 0)


def test_a_transaction_that_lasts_is_waited_for(resized: Resized) -> None:
    with connect(resized.uri("busy"), autocommit=False) as client:
        client.execute("CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT 1 AS one")
        asked = threading.Timer(0.1, resized.resize, [LARGE])
        asked.start()
        client.execute("SELECT pg_sleep(2.5)")
        asked.join()
        assert resized.read()["status"] == "resizing"
        assert client.execute("SELECT * FROM mine").fetchone() == (1,)
        client.commit()
        resized.await_online()
        assert client.execute("SELECT 2").fetchone() == (2,)
    assert resized.list_restarts()[0]["cut_transactions"] == 0


def test_a_transaction_that_outlasts_the_wait_is_cut(resized: Resized) -> None:
    with (
        connect(resized.uri("busy"), autocommit=False) as client,
        running_load(resized.uri("single"), 4) as load,
    ):
        client.execute("SELECT 1")
        resized.resize(LARGE)
        resized.await_online()
        assert "connection" in fails_with(lambda: client.execute("SELECT 2"))
        load.await_turns()
    assert not load.errors
    restart = resized.list_restarts()[0]
    assert (restart["cut_sessions"], restart["cut_transactions"]) == (0, 1)


def test_pools_larger_than_before_wait_for_the_restart(resized: Resized) -> None:
    """At no moment do pools have more backends than PostgreSQL grants."""
    with Watch(resized.inside) as watch:
        with connect(resized.uri("busy"), autocommit=False) as client:
            client.execute("SELECT 1")
            resized.resize(LARGE)
            wait_until("it waits", lambda: "transactions (1)" in resized.read_cluster()["reason"])
            made: list[str] = []
            asking = threading.Thread(
                target=lambda: made.append(resized.create_pool("large", size=35))
            )
            asking.start()
            assert resized.read_cluster()["budget"]["total"] == 22
            client.commit()
            asking.join()
        assert watch.most_together <= 22
        wait_until("the watch's connection has ended with the restart", lambda: watch.failure)
        watch.failure = None
    assert resized.read()["status"] == "online"
    with Watch(resized.inside) as watch:
        with running_load(made[0], 40, "SELECT pg_sleep(0.5)") as load:
            wait_until("all its backends are open", lambda: watch.count() >= 35)
            load.await_turns()
        assert watch.most_together <= 47
    assert not load.errors
    refused = resized.try_resize(SMALL)
    assert refused.status_code == 422
    assert refused.json()["message"] == (
        f"size: {SMALL} has 22 backend connections, the pools hold 43"
        " (busy 4, large 35, sessions 2, single 2); delete some or make them smaller first"
    )
    assert (resized.read()["size"], resized.read()["status"]) == (LARGE, "online")
    # What drains is waited for.
    resized.delete_pool("large")
    resized.resize(SMALL)
    resized.await_online()
    assert resized.show("max_connections") == "25"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "db-s-9vcpu-1gb"}, "invalid size"),
        ({"num_nodes": 2}, "invalid node count"),
        ({"storage_size_mib": 1024}, "storage cannot shrink"),
    ],
)
def test_what_cannot_be_is_refused(resized: Resized, change: dict[str, Any], message: str) -> None:
    refused = resized.try_resize(**{"size": LARGE, **change})
    assert refused.status_code == 422
    assert message in refused.json()["message"]
    assert resized.read()["size"] == SMALL


def test_direct_connections_end_with_the_restart(resized: Resized) -> None:
    with psycopg.connect(resized.read()["connection"]["uri"], autocommit=True) as client:
        client.execute("SELECT 1")
        resized.resize(LARGE)
        resized.await_online()
        assert fails_with(lambda: client.execute("SELECT 2"))


def test_short_transactions_past_the_pools_hold_nothing_up(resized: Resized) -> None:
    direct = resized.read()["connection"]["uri"]
    began = time.monotonic()
    with running_load(resized.uri("busy"), 4) as load, running_load(direct, 4):
        resized.resize(LARGE)
        resized.await_online()
        load.await_turns()
    assert not load.errors
    assert time.monotonic() - began < WAIT
    assert resized.list_restarts()[0]["paused_ms"] > 0
