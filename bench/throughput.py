"""pgbench (select-only, scale 10, TLS) through a pool of 20 backends, and through a PgBouncer that
was set up by hand (`bench/handmade.py`): same binary, settings, certificate, account and
PostgreSQL, one pool of the same shape. With 32 and 200 clients, with simple and with prepared
queries; the four cases in random order, and in each the two directly after one another in random
order. Ten such rounds of 4 s runs. The ratio is taken within each pair, Poolkeeper ÷ hand-made:
the machine's moods hit both. Medians, with the range over the rounds.

Poolkeeper's control plane does its rounds once a second while its pool is measured, and is halted
(SIGSTOP) while the hand-made one is: what it costs is in the ratio. 95th percentiles are of a
twentieth of all transactions. Processor time of the pooler (logins included) divided by
transactions moves less than the rates do.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.handmade import list_differing_settings, running_handmade
from bench.pgbench import run_for
from bench.report import Row
from bench.spread import Spread
from bench.stage import set_up_stage
from bench.usage import read_cpu_seconds

TITLE = "Throughput, against a PgBouncer set up by hand"
LIMIT = 1200

_SEED = 20261123
_GOAL = 0.98
_BACKENDS = 20


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    clients: tuple[int, ...]
    rounds: int
    seconds: int
    scale: int


FULL = Plan(clients=(32, 200), rounds=10, seconds=4, scale=10)
QUICK = Plan(clients=(8, 32), rounds=1, seconds=1, scale=1)

Case = tuple[str, int]
"""pgbench's protocol, and how many clients."""


@dataclass(frozen=True)
class Target:
    """What is measured; ``halted``: a process that is stopped meanwhile."""

    name: str
    uri: str
    pid: int
    halted: int | None = None


@dataclass(frozen=True)
class Measured:
    """One run: transactions a second, seconds of latency, pooler CPU seconds a transaction."""

    tps: float
    average: float
    p95: float
    cpu: float


Pair = dict[str, Measured]
"""Poolkeeper's and the hand-made one's run, by name, directly after one another."""


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    plan = QUICK if quick else FULL
    with set_up_stage(scale=plan.scale) as stage:
        ours = stage.create_pool("pool", size=_BACKENDS)
        with running_handmade(stage, ours, _BACKENDS) as handmade:
            differing = list_differing_settings(stage)
            assert stage.plane.process is not None
            targets = [
                Target("ours", ours, stage.pooler_pid),
                Target("hand", handmade.uri, handmade.pid, stage.plane.process.pid),
            ]
            pairs = _measure_all(plan, targets)
    return [*_list_rows(pairs), _tell_settings(differing)]


def _measure_all(plan: Plan, targets: Sequence[Target]) -> dict[Case, list[Pair]]:
    chance = random.Random(_SEED)
    cases = [(protocol, clients) for protocol in ("simple", "prepared") for clients in plan.clients]
    pairs: dict[Case, list[Pair]] = {case: [] for case in cases}
    for target in targets:  # so that the first pair does not find cold backends
        _measure(target, cases[0], 1)
    for _ in range(plan.rounds):
        for case in chance.sample(cases, len(cases)):
            order = chance.sample(targets, len(targets))
            pairs[case].append({each.name: _measure(each, case, plan.seconds) for each in order})
    return pairs


def _measure(target: Target, case: Case, seconds: int) -> Measured:
    protocol, clients = case
    with _halted(target.halted):
        before = read_cpu_seconds(target.pid)
        report, latency = run_for(target.uri, clients=clients, seconds=seconds, protocol=protocol)
        cpu = read_cpu_seconds(target.pid) - before
    if report.failed or report.aborted:
        raise RuntimeError(f"errors through {target.name}: {report}")
    return Measured(report.tps, report.latency_ms / 1000, latency.p95, cpu / report.transactions)


@contextmanager
def _halted(pid: int | None) -> Iterator[None]:
    if pid is None:
        yield
        return
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.5)  # it makes up for the rounds that it missed


def _list_rows(pairs: dict[Case, list[Pair]]) -> list[Row]:
    every = [pair for found in pairs.values() for pair in found]
    rate, wait = _compare(every, lambda run: run.tps), _compare(every, lambda run: run.average)
    goal = f"≥ {_GOAL}"
    rows = [
        Row("transactions/s, all cases: ratio", rate.as_ratio(), goal, rate.median >= _GOAL),
        Row(
            "average latency, all cases: ratio",
            wait.as_ratio(),
            f"≤ 1 ÷ {_GOAL}",
            wait.median <= 1 / _GOAL,
        ),
    ]
    for case, found in pairs.items():
        rows += _list_case(case, found)
    return rows


def _list_case(case: Case, pairs: Sequence[Pair]) -> list[Row]:
    where = f"{case[0]}, {case[1]} clients"
    ours = Spread.of([pair["ours"].tps for pair in pairs])
    theirs = Spread.of([pair["hand"].tps for pair in pairs])
    rate = _compare(pairs, lambda run: run.tps)
    return [
        Row(f"{where}: transactions/s, ratio", rate.as_ratio(), f"≥ {_GOAL}", rate.median >= _GOAL),
        Row(f"{where}: transactions/s, medians", f"{ours.median:,.0f} ÷ {theirs.median:,.0f}"),
        Row(
            f"{where}: average latency, ratio", _compare(pairs, lambda run: run.average).as_ratio()
        ),
        Row(f"{where}: 95th percentile, ratio", _compare(pairs, lambda run: run.p95).as_ratio()),
        Row(f"{where}: pooler CPU, ratio", _compare(pairs, lambda run: run.cpu).as_ratio()),
    ]


def _compare(pairs: Sequence[Pair], value: Callable[[Measured], float]) -> Spread:
    return Spread.of([value(pair["ours"]) / value(pair["hand"]) for pair in pairs])


def _tell_settings(differing: Sequence[str]) -> Row:
    found = "; ".join(differing) or "none"
    return Row("settings that differ, places aside", found, "none", not differing)
