"""The sampler: looks at the host and at every cluster that is online, each second.

Servers are asked in worker threads. A second takes what is answered in time; what comes
later is a gap, and a server that does not answer holds up neither the others nor the clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import structlog

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.samples import Sample, Values
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.metrics.clients import ClientsByPool, ClientsSource, pause_after
from poolkeeper.metrics.errand import Errand
from poolkeeper.metrics.history import History
from poolkeeper.metrics.host import HostSource, ServersSource
from poolkeeper.metrics.pgbouncer import PoolerReading, PoolerSource, sum_clients
from poolkeeper.metrics.postgres import PostgresSource, SizeSource
from poolkeeper.metrics.targets import Targets
from poolkeeper.store.observations import Observations

_WORKERS = 16
_IN_TIME = 0.6
_SIZE_EVERY = 60.0

Answer = TypeVar("Answer")

_log = structlog.get_logger("poolkeeper.metrics")


@dataclass
class _Watch:
    """What is asked about one cluster."""

    pooler: Errand[PoolerReading]
    postgres: Errand[Values]
    size: Errand[Values]
    clients: Errand[ClientsByPool]
    servers: ServersSource
    clients_due: float = 0.0
    size_due: float = 0.0
    asked_size: Future[Values | None] | None = None
    database_size: Values | None = None

    def close(self, workers: ThreadPoolExecutor) -> None:
        for errand in (self.pooler, self.postgres, self.size, self.clients):
            errand.close(workers)


@dataclass(frozen=True)
class _Asked:
    """The open questions of one second."""

    desired: Desired
    pooler: Future[PoolerReading | None] | None
    postgres: Future[Values | None] | None
    servers: Values
    size: Values


class Sampler:
    """One thread that keeps the time, and workers. ``now``: the clock whose seconds are
    sampled; ``monotonic``: the one that measures."""

    def __init__(
        self,
        targets: Targets,
        observations: Observations,
        history: History,
        state_dir: Path,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._targets = targets
        self._observations = observations
        self._history = history
        self._state_dir = state_dir
        self._now = now
        self._monotonic = monotonic
        self._host = HostSource(state_dir)
        self._watches: dict[UUID, _Watch] = {}
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="sample")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let go of all connections; what is in the history stays there."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for watch in self._watches.values():
            watch.close(self._workers)
        self._workers.shutdown(wait=True)

    def take(self, second: int) -> None:
        """Sample one second (Unix time) of everything."""
        asked = self._ask_all()
        host = self._host.read()
        futures: list[Future[Any]] = []
        for each in asked:
            futures += [future for future in (each.pooler, each.postgres) if future is not None]
        wait(futures, timeout=_IN_TIME)
        samples = {each.desired.cluster.id: self._collect(second, each) for each in asked}
        self._history.put(second, host, samples)

    def _run(self) -> None:
        last = 0
        while True:
            # By the clock's own fraction, so that a clock that is set never makes us wait.
            if self._stopping.wait(1 - self._now().timestamp() % 1):
                return
            second = int(self._now().timestamp())
            if second == last:
                continue
            last = second
            try:
                self.take(second)
            except Exception:
                _log.exception("second_broke")

    def _ask_all(self) -> list[_Asked]:
        targets = {desired.cluster.id: desired for desired in self._targets.list()}
        for cluster_id in self._watches.keys() - targets.keys():
            self._watches.pop(cluster_id).close(self._workers)
            # The reconciler may have done so before the last answer was noted.
            self._observations.forget(cluster_id)
        return [self._ask(desired) for desired in targets.values()]

    def _ask(self, desired: Desired) -> _Asked:
        watch = self._watches.get(desired.cluster.id)
        if watch is None:
            watch = self._watches[desired.cluster.id] = self._open(desired)
        pooler = watch.pooler.send(self._workers, desired)
        postgres = watch.postgres.send(self._workers, desired)
        size = self._follow_size(watch, desired)
        self._follow_clients(watch, desired)
        return _Asked(desired, pooler, postgres, watch.servers.read(), size)

    def _open(self, desired: Desired) -> _Watch:
        cluster = desired.cluster
        paths = ClusterPaths.of(self._state_dir, cluster.id, cluster.ports)
        return _Watch(
            Errand(PoolerSource(paths), self._monotonic),
            Errand(PostgresSource(paths), self._monotonic),
            Errand(SizeSource(paths), self._monotonic),
            Errand(ClientsSource(paths, self._now), self._monotonic),
            ServersSource(paths),
        )

    def _follow_size(self, watch: _Watch, desired: Desired) -> Values:
        """The size as last measured; measured anew when it is time, which nobody waits for."""
        if watch.asked_size is not None and watch.asked_size.done():
            watch.database_size, watch.asked_size = watch.asked_size.result(), None
        if self._monotonic() >= watch.size_due and watch.asked_size is None:
            watch.size_due = self._monotonic() + _SIZE_EVERY
            watch.asked_size = watch.size.send(self._workers, desired)
        return watch.database_size or {}

    def _follow_clients(self, watch: _Watch, desired: Desired) -> None:
        """Ask who the clients are if it is time; what is answered goes where pages read it."""
        begun = self._monotonic()
        if begun < watch.clients_due:
            return
        watch.clients_due = begun + pause_after({})
        future = watch.clients.send(self._workers, desired)

        def note(done: Future[ClientsByPool | None]) -> None:
            answer = done.result()
            if answer is not None and self._watches.get(desired.cluster.id) is watch:
                watch.clients_due = begun + pause_after(answer)
                self._observations.put_clients(desired.cluster.id, answer)

        if future is not None:
            future.add_done_callback(note)

    def _collect(self, second: int, asked: _Asked) -> Sample:
        reading, activity = _answer(asked.pooler), _answer(asked.postgres)
        pools: Mapping[str, Values] = {}
        clients: Values = {}
        if reading is not None:
            self._observations.put_loads(asked.desired.cluster.id, reading.loads)
            pools, clients = reading.pools, sum_clients(reading.loads)
        return Sample(second, {**asked.servers, **asked.size, **(activity or {}), **clients}, pools)


def _answer(future: Future[Answer | None] | None) -> Answer | None:
    return future.result() if future is not None and future.done() else None
