"""The ledger: in the store, in PgBouncer's file and in PostgreSQL, whatever happens at once."""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.inside import Inside, Watch
from tests.e2e.service import Json, Service
from tests.plane import Plane, connect, wait_until

BUDGET = 22
NAMES = ("ant", "bee", "cat", "dog")
MODES = ("transaction", "session", "statement")
CLIENTS_EACH = 8

Answers = list[httpx.Response]


@pytest.fixture(scope="module")
def service(api: httpx.Client, cluster: Json) -> Service:
    return Service(api, cluster)


@pytest.fixture(scope="module")
def inside(plane: Plane, service: Service) -> Inside:
    return Inside(plane, service.id)


def remove_all(service: Service) -> None:
    """Leave the whole budget free."""
    for pool in service.read_cluster()["pools"]:
        service.delete_pool(pool["name"])
    wait_until("all pools are gone", lambda: not service.list_holders())


def check_ledger(service: Service, inside: Inside) -> None:
    """In the store and in the file, the pools together never have more than there is."""
    budget = service.read_cluster()["budget"]
    assert budget["total"] == BUDGET
    assert budget["held"] + budget["free"] == BUDGET
    caps = inside.read_caps()
    assert sum(caps.values()) <= BUDGET, caps


def test_twenty_creates_at_once(service: Service, inside: Inside) -> None:
    """20 × 3 on 22: seven fit."""
    with Watch(inside) as watch:
        with ThreadPoolExecutor(20) as callers:
            answers: Answers = list(
                callers.map(lambda number: service.try_pool(f"at-once-{number}", size=3), range(20))
            )
        assert Counter(answer.status_code for answer in answers) == {201: 7, 422: 13}
        made = [answer.json()["pool"] for answer in answers if answer.status_code == 201]
        holders = ", ".join(sorted(f"{pool['name']} 3" for pool in made))
        for answer in answers:
            if answer.status_code == 422:
                assert answer.json()["message"] == (
                    f"size: asked for 3, 1 left of 22 backend connections (held: {holders})"
                )
        for pool in made:
            with connect(pool["connection"]["uri"]) as client:
                assert client.execute("SELECT 1").fetchone() == (1,)
        assert watch.most_together <= BUDGET
    assert inside.read_caps() == {pool["name"]: 3 for pool in made}
    check_ledger(service, inside)
    assert service.read_cluster()["budget"]["held"] == 21
    remove_all(service)


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_the_whole_budget_can_be_used(service: Service, inside: Inside, mode: str) -> None:
    """PostgreSQL grants every backend that the ledger promises, the control plane's own
    connections notwithstanding."""
    sizes = {"ant": 11, "bee": 10, "cat": 1}
    with contextlib.ExitStack() as open_, Watch(inside) as watch:
        for name, size in sizes.items():
            uri = service.create_pool(name, size=size, mode=mode)
            for _ in range(size):
                client = open_.enter_context(connect(uri))
                client.execute("BEGIN")
                client.execute("SELECT 1")
        wait_until("all are used, and none before them is left", lambda: watch.count() == BUDGET)
        # And users can still be made, which takes the control plane a few connections.
        service.create_user(f"in-between-{mode}")
        answer = service.api.delete(f"{service.address}/users/in-between-{mode}")
        assert answer.status_code == 204, answer.text
    remove_all(service)


def test_growing_at_once(service: Service, inside: Inside) -> None:
    """Four pools of 4 want to be 8; the 6 that are left suffice for one of them."""
    for name in NAMES:
        service.create_pool(name, size=4)
    with ThreadPoolExecutor(4) as callers:
        answers: Answers = list(callers.map(lambda name: service.try_change(name, size=8), NAMES))
    assert Counter(answer.status_code for answer in answers) == {204: 1, 422: 3}
    for answer in answers:
        if answer.status_code == 422:
            message = answer.json()["message"]
            # A pool's own size is not among what others hold.
            assert re.match(r"size: asked for 8, 6 left of 22 backend connections", message)
    assert sorted(inside.read_caps().values()) == [4, 4, 4, 8]
    check_ledger(service, inside)
    remove_all(service)


def test_names_are_taken_once(service: Service) -> None:
    with ThreadPoolExecutor(8) as callers:
        answers: Answers = list(callers.map(lambda _: service.try_pool("same", size=2), range(8)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 422: 7}
    assert {a.json()["message"] for a in answers if a.status_code == 422} == {
        "pool name is not available"
    }
    remove_all(service)


def test_deleting_and_creating_at_once(service: Service, inside: Inside) -> None:
    """The whole budget goes from hand to hand; each caller gets it when it is free."""
    service.create_pool("ant", size=BUDGET)
    for before, after in itertools.pairwise(NAMES):
        with ThreadPoolExecutor(2) as callers:
            gone = callers.submit(service.delete_pool, before)
            wait_until("it is wanted gone", lambda: before not in list_names(service))  # noqa: B023
            made = callers.submit(service.create_pool, after, size=BUDGET)
            gone.result()
            with connect(made.result()) as client:
                assert client.execute("SELECT 1").fetchone() == (1,)
        assert inside.read_caps() == {after: BUDGET}
    remove_all(service)


def list_names(service: Service) -> list[str]:
    answer = service.api.get(f"{service.address}/pools")
    return [pool["name"] for pool in answer.json()["pools"]]


# -- a storm of clients while everything changes -------------------------------------------------


class Storm:
    """Clients that come and go at pools which come and go; each pool has a database of its own,
    so that PostgreSQL's view tells which pool a backend is of."""

    def __init__(self, uris: dict[str, str]) -> None:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(uri, name), daemon=True)
            for name, uri in uris.items()
            for _ in range(CLIENTS_EACH)
        ]
        self.turns: Counter[str] = Counter()

    def __enter__(self) -> Storm:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, uri: str, name: str) -> None:
        while not self._stopping.is_set():
            # Pools that are not there, full, or cut under their clients: all as it should be.
            with contextlib.suppress(psycopg.Error), connect(uri) as client:
                for _ in range(60):
                    if self._stopping.is_set():
                        return
                    client.execute("SELECT pg_sleep(0.005)", prepare=False)
                    self.turns[name] += 1
            self._stopping.wait(0.05)


class Ceilings:
    """How many backends each pool may have: its size, or what it is said to hold while it has
    more. A call that makes a pool larger raises its ceiling before it is made."""

    def __init__(self, service: Service, inside: Inside) -> None:
        self._service = service
        self._inside = inside
        self._now: Counter[str] = Counter()
        self._before: Counter[str] = Counter()

    def allow(self, name: str, size: int) -> None:
        self._now |= Counter({name: size})

    def read(self) -> None:
        """Take the ceilings from what the product says that the pools hold."""
        message = self._service.try_pool("asks-for-too-much", size=100_000).json()["message"]
        found = re.findall(r"([a-z]+) (\d+)(?:, |\))", message.partition("(held: ")[2])
        self._now = Counter({name: int(held) for name, held in found})

    def check(self, found: Counter[str]) -> str:
        """What exceeds a ceiling. The look at PostgreSQL was between the last call of this and
        now, so both ceilings are right."""
        now = self._now
        allowed = now | self._before
        self._before = now
        caps = self._inside.read_caps()
        if sum(found.values()) > BUDGET or sum(caps.values()) > BUDGET:
            return f"{sum(found.values())} in all: {dict(found)}, in the file: {caps}"
        over = {name: count for name, count in found.items() if count > allowed[name]}
        return f"{over}, allowed {dict(allowed)}" if over else ""


@dataclass(frozen=True)
class Change:
    """A call: ``size`` 0 deletes; otherwise the pool is created, or changed if it is there."""

    name: str
    size: int
    mode: str


class World:
    """The cluster under the storm, and what must be true of it after each call."""

    def __init__(self, service: Service, inside: Inside, ceilings: Ceilings) -> None:
        self.service = service
        self.inside = inside
        self.ceilings = ceilings
        self.wanted: dict[str, int] = {}

    def make(self, change: Change) -> None:
        if change.size == 0:
            self._delete(change)
        else:
            self._put(change)
        assert set(self.wanted) == set(list_names(self.service))
        check_ledger(self.service, self.inside)
        self.ceilings.read()

    def _delete(self, change: Change) -> None:
        answer = self.service.api.delete(f"{self.service.address}/pools/{change.name}")
        assert answer.status_code == (204 if change.name in self.wanted else 404), answer.text
        self.wanted.pop(change.name, None)

    def _put(self, change: Change) -> None:
        others = sum(size for name, size in self.wanted.items() if name != change.name)
        fits = others + change.size <= BUDGET
        if fits:
            self.ceilings.allow(change.name, change.size)
        shape: dict[str, Any] = {
            "size": change.size,
            "mode": change.mode,
            "db": change.name,
            "user": "doadmin",
        }
        place = f"{self.service.address}/pools"
        if change.name in self.wanted:
            answer = self.service.api.put(f"{place}/{change.name}", json=shape)
        else:
            answer = self.service.api.post(place, json={"name": change.name, **shape})
        assert answer.is_success == fits, (change, self.wanted, answer.text)
        if fits:
            self.wanted[change.name] = change.size
        else:
            assert answer.status_code == 422
            assert f"asked for {change.size}, " in answer.json()["message"]


@pytest.fixture(scope="module")
def world(service: Service, inside: Inside) -> Iterator[World]:
    """Clients storm all pools, and every backend is watched, for as long as this is used."""
    uris = {}
    for name in NAMES:
        service.create_database(name)
        uris[name] = service.create_pool(name, size=1, db=name)
    remove_all(service)
    ceilings = Ceilings(service, inside)
    with Watch(inside, ceilings.check) as watch, Storm(uris) as storm:
        yield World(service, inside, ceilings)
        assert watch.excesses == []
        assert watch.samples > 100
        assert set(storm.turns) == set(NAMES)
    remove_all(service)


# Few sizes are small, so that the budget is often used up, and often exceeded.
CHANGES = st.builds(
    Change,
    name=st.sampled_from(NAMES),
    size=st.one_of(st.just(0), st.integers(1, 4), st.integers(5, BUDGET), st.just(BUDGET)),
    mode=st.sampled_from(MODES),
)


@settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(changes=st.lists(CHANGES, min_size=8, max_size=12))
def test_the_ledger_holds_through_any_changes(world: World, changes: list[Change]) -> None:
    for change in changes:
        world.make(change)
