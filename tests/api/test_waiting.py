"""What the API answered is true: it waits for the reconciler, and takes back what failed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from poolkeeper.api.app import CHANGES_AT_ONCE
from poolkeeper.domain.errors import Unavailable
from poolkeeper.domain.status import ClusterState, Failure, Phase
from poolkeeper.domain.tokens import ADMIN
from poolkeeper.store import clusters, status
from poolkeeper.store.database import Transaction
from poolkeeper.usecases import convergence
from tests.api.front import Front
from tests.plane import wait_until

Cluster = Mapping[str, Any]

POOL = {"name": "web", "mode": "transaction", "size": 10, "db": "defaultdb", "user": "doadmin"}
SHAPE = {"mode": "session", "size": 4, "db": "defaultdb", "user": ""}
SETTINGS = {"settings": {"pg_allow_replication": True}}

# Of each change: the call, its subject, and where to see that nothing came of it.
CHANGES = [
    pytest.param("POST", "/pools", POOL | {"name": "new"}, "pool:new", "/pools", id="pool"),
    pytest.param("PUT", "/pools/web", SHAPE, "pool:web", "/pools", id="pool-update"),
    pytest.param("POST", "/dbs", {"name": "new"}, "database:new", "/dbs", id="db"),
    pytest.param("POST", "/users", {"name": "new"}, "user:new", "/users", id="user"),
    pytest.param("PUT", "/users/app", SETTINGS, "user:app", "/users", id="user-update"),
    pytest.param("POST", "/users/app/reset_auth", {}, "user:app", "/users", id="reset-auth"),
]


@pytest.fixture
def cluster(front: Front, main: Cluster) -> str:
    """The address of a cluster with a pool ``web`` and a user ``app``."""
    address = f"/v2/databases/{main['id']}"
    assert front.call("POST", f"{address}/pools", POOL).status_code == 201
    assert front.call("POST", f"{address}/users", {"name": "app"}).status_code == 201
    return address


@pytest.mark.parametrize(("method", "path", "body", "subject", "shown"), CHANGES)
def test_refused_change_is_taken_back(
    front: Front, cluster: str, method: str, path: str, body: object, subject: str, shown: str
) -> None:
    before = front.call("GET", cluster + shown).json()
    front.reconciler.refusals[subject] = "PgBouncer would not have it"
    response = front.call(method, cluster + path, body)
    assert (response.status_code, response.json()["id"]) == (422, "unprocessable_entity")
    kind = subject.partition(":")[0]
    assert response.json()["message"] == f"{kind}: PgBouncer would not have it"
    assert front.call("GET", cluster + shown).json() == before


@pytest.mark.parametrize(("method", "path", "body", "subject", "shown"), CHANGES)
def test_change_that_takes_too_long_is_taken_back(
    front: Front, cluster: str, method: str, path: str, body: object, subject: str, shown: str
) -> None:
    before = front.call("GET", cluster + shown).json()
    front.change(wait_seconds=0.05)
    front.reconciler.silent = True
    response = front.call(method, cluster + path, body)
    assert (response.status_code, response.json()["id"]) == (503, "service_unavailable")
    assert response.headers["retry-after"] == "1"
    told = r"was not in force after (\d[\d.]*) s and was taken back"
    found = re.search(told, response.json()["message"])
    assert found is not None
    # How long it was, where the machine took longer.
    assert float(found[1]) >= 0.05
    assert front.call("GET", cluster + shown).json() == before


def test_names_and_budget_are_free_again(front: Front, cluster: str) -> None:
    for subject, path, body in (
        ("pool:new", "/pools", POOL | {"name": "new", "size": 12}),
        ("database:new", "/dbs", {"name": "new"}),
        ("user:new", "/users", {"name": "new"}),
    ):
        front.reconciler.refusals = {subject: "no"}
        assert front.call("POST", cluster + path, body).status_code == 422
        front.reconciler.refusals = {}
        assert front.call("POST", cluster + path, body).status_code == 201


def test_deletion_of_database_or_user_is_taken_back(front: Front, cluster: str) -> None:
    front.call("POST", f"{cluster}/dbs", {"name": "new"})
    front.change(wait_seconds=0.05)
    front.reconciler.silent = True
    for path in ("/dbs/new", "/users/app"):
        before = front.call("GET", cluster + path).json()
        assert front.call("DELETE", cluster + path).status_code == 503
        assert front.call("GET", cluster + path).json() == before


class Clock:
    """Time as those who wait for the reconciler see it: it passes when it is told to."""

    def __init__(self) -> None:
        self._now = 0.0
        self._looks = 0

    def monotonic(self) -> float:
        self._looks += 1
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def await_looks(self) -> None:
        """Whoever waits has seen how late it is now."""
        before = self._looks
        wait_until("the clock is looked at", lambda: self._looks > before + 1)


def await_name(front: Front, address: str, name: str) -> None:
    """Wait until something of that name is wanted."""

    def is_listed() -> bool:
        (listed,) = front.call("GET", address).json().values()
        return name in [each["name"] for each in listed]

    wait_until(f"{name} is wanted", is_listed)


def test_a_call_waits_on_while_what_others_asked_for_gets_done(
    front: Front, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as there are steps; after the last one, no longer than for the first."""
    clock, cluster_id, dbs = Clock(), UUID(cluster.rpartition("/")[2]), f"{cluster}/dbs"
    monkeypatch.setattr(convergence, "time", clock)
    front.change(wait_seconds=1)
    front.reconciler.silent = True
    with ThreadPoolExecutor(1) as caller:
        asked = caller.submit(front.call, "POST", dbs, {"name": "new"})
        await_name(front, dbs, "new")
        for _ in range(4):
            front.context.changes.step(cluster_id)
            clock.advance(0.9)
            clock.await_looks()
            assert not asked.done(), asked.result().text
        front.reconciler.apply(cluster_id)
        assert asked.result().status_code == 201
        asked = caller.submit(front.call, "POST", dbs, {"name": "newer"})
        wait_until("it is given up", lambda: clock.advance(0.1) or asked.done())
        assert asked.result().status_code == 503


def test_deletion_of_a_pool_stands(front: Front, cluster: str) -> None:
    front.change(wait_seconds=0.05)
    front.reconciler.silent = True
    assert front.call("DELETE", f"{cluster}/pools/web").status_code == 204
    assert front.call("GET", f"{cluster}/pools/web").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status_code"),
    [
        ("POST", "/pools", POOL | {"name": "new"}, 404),
        ("PUT", "/pools/web", SHAPE, 404),
        ("POST", "/dbs", {"name": "new"}, 404),
        ("POST", "/users", {"name": "new"}, 404),
        ("PUT", "/users/app", SETTINGS, 404),
        ("PATCH", "/config", {"config": {"work_mem": 8}}, 404),
        ("DELETE", "/pools/web", None, 204),
    ],
)
def test_nothing_is_made_in_a_cluster_that_is_deleted_meanwhile(
    front: Front, cluster: str, method: str, path: str, body: object, status_code: int
) -> None:
    front.reconciler.silent = True
    cluster_id = UUID(cluster.rpartition("/")[2])
    with ThreadPoolExecutor(1) as caller:
        before = front.look()
        call = caller.submit(front.call, method, cluster + path, body)
        wait_until("it is wanted", lambda: front.look() != before)
        assert front.call("DELETE", cluster).status_code == 204
        with front.context.store.write() as tx:
            # As the reconciler does, once the servers are stopped.
            state = status.read_cluster_state(tx, cluster_id)
            generation = clusters.read_generation(tx, cluster_id)
            assert state is not None and generation is not None
            status.write_cluster_state(tx, replace(state, applied_generation=generation))
        front.context.changes.publish(cluster_id)
        answer = call.result()
    assert answer.status_code == status_code
    if status_code == 404:
        assert answer.json()["message"] == "cluster not found"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/pools", POOL | {"name": "new", "size": 1}, 201),
        ("PUT", "/pools/web", SHAPE, 204),
        ("DELETE", "/pools/web", None, 204),
        ("DELETE", "/users/app", None, 204),
    ],
)
def test_a_store_that_cannot_be_read_for_a_moment_is_asked_again(
    front: Front,
    cluster: str,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: object,
    status: int,
) -> None:
    """The change is committed by then: an error would say that it is not."""
    faults = [Unavailable("the store is unavailable"), Unavailable("the store is unavailable")]

    def read_failures(tx: Transaction, cluster_id: UUID) -> Mapping[str, Failure]:
        if faults:
            raise faults.pop()
        return {}

    monkeypatch.setattr("poolkeeper.store.status.read_failures", read_failures)
    response = front.call(method, cluster + path, body)
    assert response.status_code == status, response.text
    assert not faults


def test_what_cannot_be_taken_back_is_said_to_stand(
    front: Front, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def withdraw(*args: object) -> None:
        raise Unavailable("the store is unavailable, nothing was applied: the disk is full")

    monkeypatch.setattr("poolkeeper.store.unanswered.forget_creation", withdraw)
    front.reconciler.refusals["pool:web"] = "no"
    response = front.call("PUT", f"{cluster}/pools/web", SHAPE)
    assert response.status_code == 503
    assert response.json()["message"] == (
        "the change could not be taken back, as the store is unavailable, and may come in force"
        " yet; look before you try again"
    )
    assert front.call("GET", f"{cluster}/pools/web").json()["pool"]["size"] == SHAPE["size"]


def test_withdrawal_is_an_event(front: Front, cluster: str) -> None:
    front.reconciler.refusals["pool:web"] = "because"
    front.call("PUT", f"{cluster}/pools/web", SHAPE)
    event = front.call("GET", "/v1/events?limit=1").json()["events"][0]
    assert (event["kind"], event["subject"]) == ("change_withdrawn", "pool:web")
    assert event["detail"] == {"reason": "because"}


def test_create_answers_only_once_it_is_in_force(front: Front, cluster: str) -> None:
    front.reconciler.silent = True
    answers: list[int] = []
    client = front.client(ADMIN)

    def create() -> None:
        body = POOL | {"name": "new", "size": 1}
        answers.append(client.post(f"{cluster}/pools", json=body).status_code)

    caller = threading.Thread(target=create)
    caller.start()
    await_name(front, f"{cluster}/pools", "new")
    time.sleep(0.4)
    assert answers == []
    front.reconciler.apply(UUID(cluster.rpartition("/")[2]))
    caller.join(60)
    assert answers == [201]


def test_cluster_that_is_being_created(front: Front) -> None:
    front.reconciler.silent = True
    front.change(wait_seconds=0.05)
    cluster = f"/v2/databases/{front.create_cluster('new')['id']}"
    before = front.look()
    for method, path, body in (
        ("POST", "/pools", POOL),
        ("POST", "/dbs", {"name": "new"}),
        ("POST", "/users", {"name": "new"}),
        ("POST", "/users/doadmin/reset_auth", {}),
        ("PUT", "/users/doadmin", SETTINGS),
        ("PUT", "/pools/web", SHAPE),
    ):
        response = front.call(method, cluster + path, body)
        assert (response.status_code, response.json()["id"]) == (503, "service_unavailable")
        assert response.json()["message"] == (
            "cluster 'new' is still being created; try again later"
        )
        assert response.headers["retry-after"] == "1"
    assert front.look() == before
    for path in ("", "/pools", "/dbs", "/users", "/ca"):
        assert front.call("GET", cluster + path).status_code == 200


def test_a_retrying_client_succeeds_in_the_end(front: Front) -> None:
    front.reconciler.silent = True
    cluster_id = front.create_cluster("new")["id"]
    timer = threading.Timer(0.2, front.reconciler.apply, [UUID(cluster_id)])
    timer.start()
    front.reconciler.silent = False
    response = front.call("POST", f"/v2/databases/{cluster_id}/pools", POOL)
    timer.join()
    assert response.status_code == 201


def test_a_creation_that_does_not_get_on_says_why(front: Front) -> None:
    front.reconciler.silent = True
    front.change(wait_seconds=0.05)
    cluster_id = UUID(front.create_cluster("new")["id"])
    with front.context.store.write() as tx:
        reason = "initdb: no space left on device"
        parked = ClusterState(cluster_id, Phase.PARKED, reason, tx.now)
        status.write_cluster_state(tx, parked)
    response = front.call("POST", f"/v2/databases/{cluster_id}/dbs", {"name": "new"})
    assert (response.status_code, response.json()["message"]) == (
        503,
        "cluster 'new' is still being created: initdb: no space left on device; try again later",
    )


def test_reading_does_not_wait_behind_changes(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More changes wait for a cluster than there are threads."""
    front.reconciler.silent = True
    address = f"/v2/databases/{front.create_cluster('new')['id']}"
    token, waiting = front.issue_token(ADMIN), set[int]()
    wait_beyond = front.context.changes.wait_beyond

    def note(*facts: Any) -> int:
        waiting.add(threading.get_ident())
        return wait_beyond(*facts)

    def create(number: int) -> int:
        body = {"name": f"new-{number}"}
        return front.connect(token).post(f"{address}/users", json=body).status_code

    monkeypatch.setattr(front.context.changes, "wait_beyond", note)
    with ThreadPoolExecutor(120) as callers:
        answers = [callers.submit(create, number) for number in range(120)]
        wait_until("as many wait as may", lambda: len(waiting) == CHANGES_AT_ONCE)
        for _ in range(50):
            assert front.call("GET", f"{address}/users").status_code == 200
        assert not any(each.done() for each in answers)
        front.reconciler.silent = False
        front.reconciler.apply(UUID(address.rpartition("/")[2]))
        assert {each.result() for each in answers} <= {201, 503}
