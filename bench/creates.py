"""50 times: `POST …/pools` is sent, its answer comes, and one psycopg connection to the URI in it
logs in (TLS, SCRAM) and gets the answer to its first query. Meanwhile 50 pgbench clients
(select-only, full speed, scale 10) run through another pool of the same cluster, of 20 backends,
and keep the machine's cores busy. One client, one HTTPS connection that stays open; the new pools
have size 1 and are deleted again outside of the timing.

Between two creates the same is done with what is there already: a login and query through a pool
that is open, and a `GET` of a pool. Their times are the floor: what login, TLS and HTTP cost on
this machine under this load, whatever Poolkeeper does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.pgbench import Report, running_load
from bench.report import Row
from bench.spread import Spread
from bench.stage import Stage, set_up_stage, time_query

TITLE = "Creating a pool under load"
LIMIT = 300

_GOAL = (0.1, 0.25)


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    creates: int
    clients: int
    scale: int


FULL = Plan(creates=50, clients=50, scale=10)
QUICK = Plan(creates=5, clients=10, scale=1)


@dataclass
class Times:
    """Seconds, one of each for every create."""

    post: list[float] = field(default_factory=list)
    query: list[float] = field(default_factory=list)
    floor_get: list[float] = field(default_factory=list)
    floor_query: list[float] = field(default_factory=list)

    @property
    def whole(self) -> list[float]:
        return [sum(parts) for parts in zip(self.post, self.query, strict=True)]


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    plan = QUICK if quick else FULL
    with set_up_stage(scale=plan.scale) as stage:
        busy = stage.create_pool("busy", size=20)
        steady = stage.create_pool("steady")
        times = Times()
        with running_load(busy, plan.clients) as load:
            for number in range(plan.creates):
                _create_one(stage, f"new-{number}", times)
                _touch_floor(stage, steady, times)
            connected = load.count_connected()
            report = load.stop()
    return [*_list_times(times), *list_load(report, connected, plan.clients)]


def list_load(report: Report, connected: int, clients: int) -> Sequence[Row]:
    """What the clients of the load met with."""
    errors = report.failed + len(report.aborted)
    lost = clients - connected
    what = f"the load of {clients} clients ({report.tps:,.0f} transactions/s)"
    return [
        Row(f"errors in {what}", str(errors), "0", errors == 0),
        Row("clients of the load that were disconnected", str(lost), "0", lost == 0),
    ]


def _create_one(stage: Stage, name: str, times: Times) -> None:
    started = time.perf_counter()
    uri = stage.create_pool(name)
    answered = time.perf_counter()
    times.query.append(time_query(uri))
    times.post.append(answered - started)
    stage.ask("DELETE", f"pools/{name}")


def _touch_floor(stage: Stage, steady: str, times: Times) -> None:
    started = time.perf_counter()
    stage.get_pool("steady")
    times.floor_get.append(time.perf_counter() - started)
    times.floor_query.append(time_query(steady))


def _list_times(times: Times) -> list[Row]:
    whole = Spread.of(times.whole)
    return [
        Row(
            "`POST` sent → first query answered",
            whole.in_ms(),
            f"median ≤ {_GOAL[0] * 1000:.0f} ms, p95 ≤ {_GOAL[1] * 1000:.0f} ms",
            whole.median <= _GOAL[0] and whole.p95 <= _GOAL[1],
        ),
        Row("… of which the `POST`", Spread.of(times.post).in_ms()),
        Row("… of which login and query", Spread.of(times.query).in_ms()),
        Row("floor: `GET` of a pool", Spread.of(times.floor_get).in_ms()),
        Row("floor: login and query, pool already open", Spread.of(times.floor_query).in_ms()),
    ]
