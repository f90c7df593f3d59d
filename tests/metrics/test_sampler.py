"""The sampler's second: taken on time whatever a server does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.samples import Sample, Values
from poolkeeper.domain.status import IDLE, PoolLoad
from poolkeeper.metrics.errand import Errand
from poolkeeper.metrics.history import History
from poolkeeper.metrics.host import HostSource
from poolkeeper.metrics.pgbouncer import sum_clients
from poolkeeper.metrics.sampler import Sampler
from poolkeeper.metrics.targets import Targets
from poolkeeper.store.observations import Observations
from tests.plane import wait_until
from tests.unit.test_postgres_render import CLUSTER

NOBODY = cast(Desired, None)


class Clock:
    """Time as it is told to be."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Source:
    """Answers, fails, or waits, as it is told."""

    def __init__(self) -> None:
        self.asked = 0
        self.closed_after: list[int] = []
        self.answered = 0
        self.failing = False
        self.free = threading.Event()
        self.free.set()

    def read(self, desired: Desired) -> int:
        self.asked += 1
        assert self.free.wait(60)
        if self.failing:
            raise EngineError("gone")
        self.answered += 1
        return self.asked

    def close(self) -> None:
        self.closed_after.append(self.answered)


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as workers:
        yield workers


def test_a_question_is_never_asked_twice_at_once(workers: ThreadPoolExecutor) -> None:
    source = Source()
    errand = Errand(source, Clock())
    source.free.clear()
    first = errand.send(workers, NOBODY)
    assert first is not None
    assert errand.send(workers, NOBODY) is None
    source.free.set()
    assert first.result(60) == 1
    second = errand.send(workers, NOBODY)
    assert second is not None and second.result(60) == 2


def test_a_connection_is_closed_after_its_last_answer(workers: ThreadPoolExecutor) -> None:
    source = Source()
    errand = Errand(source, Clock())
    source.free.clear()
    last = errand.send(workers, NOBODY)
    assert last is not None
    errand.close(workers)
    wait([workers.submit(int)])
    assert source.closed_after == []
    source.free.set()
    wait_until("it is closed", lambda: source.closed_after == [1])
    errand.close(workers)
    wait_until("it is closed", lambda: source.closed_after == [1, 1])


def test_who_fails_is_asked_less_often_and_again_at_last(workers: ThreadPoolExecutor) -> None:
    clock, source = Clock(), Source()
    errand = Errand(source, clock)
    source.failing = True
    for _ in range(60):
        future = errand.send(workers, NOBODY)
        if future is not None:
            assert future.result(60) is None
        clock.seconds += 1
    assert 8 <= source.asked <= 12
    source.failing = False
    clock.seconds += 8
    future = errand.send(workers, NOBODY)
    assert future is not None and future.result(60) is not None


def test_one_failure_is_tried_again_the_next_second(workers: ThreadPoolExecutor) -> None:
    clock, source = Clock(), Source()
    errand = Errand(source, clock)
    source.failing = True
    future = errand.send(workers, NOBODY)
    assert future is not None
    wait([future])
    clock.seconds += 1
    assert errand.send(workers, NOBODY) is not None


class NoTargets:
    def list(self) -> list[Desired]:
        return []


class Noted(History):
    """Remembers which seconds it was given."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.seconds: list[int] = []

    def put(self, second: int, host: Values, clusters: Mapping[UUID, Sample]) -> None:
        self.seconds.append(second)
        super().put(second, host, clusters)


def test_each_second_of_the_clock_is_taken_once(tmp_path: Path) -> None:
    """Also when the clock is set back, and when it is set an hour ahead."""
    history = Noted(tmp_path / "samples.db")
    seconds = history.seconds
    shift = timedelta()
    sampler = Sampler(
        cast(Targets, NoTargets()),
        Observations(),
        history,
        tmp_path,
        now=lambda: datetime.now(UTC) + shift,
    )
    sampler.start()
    wait_until("two seconds were taken", lambda: len(seconds) >= 2)
    shift = timedelta(hours=1)
    wait_until("it is an hour later", lambda: seconds[-1] - seconds[0] > 3600)
    shift = timedelta(hours=-1)
    wait_until("it is two hours earlier", lambda: seconds[-1] < seconds[0])
    wait_until("time goes on", lambda: seconds[-1] - seconds[-2] == 1)
    sampler.stop()
    history.stop()
    # As many as passed here while we waited, and not those that were leapt over.
    assert len(set(seconds)) == len(seconds) < 600


def test_nothing_is_kept_of_a_cluster_that_is_gone(tmp_path: Path) -> None:
    """Not what was answered in the second of its end either, after the reconciler forgot it."""
    targets = [Desired(CLUSTER, "", "", (), (), ())]
    observations = Observations()
    history = History(tmp_path / "samples.db")
    sampler = Sampler(
        cast(Targets, SimpleNamespace(list=lambda: targets)),
        observations,
        history,
        tmp_path,
        now=lambda: datetime.now(UTC),
    )
    sampler.take(1)
    observations.put_loads(CLUSTER.id, {"web": IDLE})
    targets.clear()
    sampler.take(2)
    assert observations.list_clusters() == []
    sampler.stop()
    history.stop()


def test_the_host_tells_of_itself(tmp_path: Path) -> None:
    source = HostSource(tmp_path)
    first = source.read()
    assert first["cpu_percent"] is None
    wait_until("the kernel's clock has ticked", lambda: source.read()["cpu_percent"] is not None)
    seen = source.read()
    assert 0 < float(seen["memory_used_bytes"] or 0) < float(seen["memory_total_bytes"] or 0)
    assert 0 < float(seen["disk_used_bytes"] or 0) < float(seen["disk_total_bytes"] or 0)
    assert float(seen["control_plane_memory_bytes"] or 0) > 10_000_000


def test_the_longest_wait_of_a_cluster_is_the_longest_of_its_pools() -> None:
    loads = {"a": PoolLoad(1, 2, 3, 4, 0.5), "b": PoolLoad(10, 20, 30, 40, 2.5)}
    assert sum_clients(loads) == {
        "clients_active": 11,
        "clients_waiting": 22,
        "maxwait_seconds": 2.5,
    }
    assert sum_clients({})["maxwait_seconds"] == 0.0
