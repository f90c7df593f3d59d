"""200 changes in random order (the seed is fixed), as many of size as of mode, database and user,
each a `PUT` of the pool's whole shape. Three of four concern a pool of 50 pgbench clients
(select-only, full speed, scale 10) that stay connected throughout: its size goes from 10 to 40
backends, its mode between transaction and statement, its database between two that both have
pgbench's tables, its user between two that may read them. Session mode would let some of those
clients wait for ever for the others to leave; so every fourth change concerns a second pool of 5
clients, with 7 to 12 backends and all three modes.

After every change, outside of its time, a new client logs in through the URI that the API then
shows and asks PostgreSQL who and where it is. A change of user reaches only such new clients: that
is how PgBouncer does it. What counts as an error: a failed query or login, or an answer that is
not what was asked for; as a disconnect: a client of either load that is no longer connected at
the end; as refused: a `PUT` that is not answered with 204.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg

from bench.pgbench import Load, make_tables, running_load
from bench.report import Row
from bench.spread import Spread
from bench.stage import Stage, make_shape, set_up_stage
from tests.plane import connect

TITLE = "Changing pools under load"
LIMIT = 600

_SEED = 20261123
_READER = "reader"
_SECOND = "second"
_EITHER = {"db": ["defaultdb", _SECOND], "user": ["doadmin", _READER]}

Shape = dict[str, Any]


@dataclass(frozen=True)
class Pool:
    """A pool under load, and what each field of its shape may become."""

    name: str
    clients: int
    choices: Mapping[str, list[Any]]


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    changes: int
    busy_clients: int
    scale: int


FULL = Plan(changes=200, busy_clients=50, scale=10)
QUICK = Plan(changes=16, busy_clients=15, scale=1)


@dataclass
class Findings:
    """Seconds of each change by what it changed, and what went wrong, as sentences."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    plan = QUICK if quick else FULL
    modes = ["transaction", "statement"]
    busy = Pool("busy", plan.busy_clients, {**_EITHER, "size": [10, 15, 20, 30, 40], "mode": modes})
    calm = Pool("calm", 5, {**_EITHER, "size": [7, 8, 10, 12], "mode": [*modes, "session"]})
    findings, chance = Findings(), random.Random(_SEED)
    with set_up_stage(scale=plan.scale) as stage:
        _prepare(stage, plan.scale)
        shapes = {pool.name: make_shape(size=pool.choices["size"][2]) for pool in (busy, calm)}
        uris = {name: stage.create_pool(name, **shape) for name, shape in shapes.items()}
        with (
            running_load(uris["busy"], busy.clients) as busy_load,
            running_load(uris["calm"], calm.clients) as calm_load,
        ):
            for pool, changed in draw_changes(plan.changes, busy, calm, chance):
                shape = shapes[pool.name]
                others = [each for each in pool.choices[changed] if each != shape[changed]]
                wanted = {**shape, changed: chance.choice(others)}
                shapes[pool.name] = _apply(stage, pool.name, shape, wanted, findings)
            return _list_rows(findings, [busy_load, calm_load])


def draw_changes(
    count: int, busy: Pool, calm: Pool, chance: random.Random
) -> list[tuple[Pool, str]]:
    """Which pool and which field: as many of each field, every fourth on the calm pool."""
    fields = ["size", "mode", "db", "user"]
    drawn = [
        (calm if number // len(fields) % 4 == 3 else busy, fields[number % len(fields)])
        for number in range(count)
    ]
    chance.shuffle(drawn)
    return drawn


def _prepare(stage: Stage, scale: int) -> None:
    """A second database with the same tables, and a second user who may read both."""
    stage.ask("POST", "dbs", {"name": _SECOND})
    stage.ask("POST", "users", {"name": _READER})
    second = stage.direct_uri.replace("/defaultdb?", f"/{_SECOND}?")
    make_tables(second, scale)
    for uri in (stage.direct_uri, second):
        with connect(uri) as connection:
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {_READER}")


def _apply(stage: Stage, name: str, before: Shape, wanted: Shape, findings: Findings) -> Shape:
    """Make one change and look whether it is in force; returns the shape that is."""
    (changed,) = (key for key in wanted if wanted[key] != before[key])
    sentence = f"{name}: {changed} {before[changed]} → {wanted[changed]}"
    started = time.perf_counter()
    try:
        stage.ask("PUT", f"pools/{name}", wanted)
    except (RuntimeError, httpx.HTTPError) as error:
        findings.refused.append(f"{sentence}: {error}")
        return before
    findings.seconds.setdefault(changed, []).append(time.perf_counter() - started)
    problem = _examine(str(stage.get_pool(name)["connection"]["uri"]), wanted)
    if problem:
        findings.wrong.append(f"{sentence}: {problem}")
    return wanted


def _examine(uri: str, wanted: Shape) -> str:
    """What a new client of the pool finds wrong with it; empty if nothing."""
    try:
        with connect(uri) as connection:
            row = connection.execute("SELECT current_user, current_database()").fetchone()
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return "" if row == (wanted["user"], wanted["db"]) else f"a new client is {row}"


def _list_rows(findings: Findings, loads: list[Load]) -> list[Row]:
    connected = [load.count_connected() for load in loads]
    reports = [load.stop() for load in loads]
    aborted = [line for report in reports for line in report.aborted]
    errors = sum(report.failed for report in reports) + len(aborted)
    lost = sum(load.clients for load in loads) - sum(connected)
    everything = [each for seconds in findings.seconds.values() for each in seconds]
    rates = " + ".join(f"{report.tps:,.0f}" for report in reports)
    clients = sum(load.clients for load in loads)
    for line in (*findings.refused, *findings.wrong, *aborted):
        print(line)
    return [
        _count(f"errors of the {clients} clients ({rates} transactions/s)", errors),
        _count("disconnects", lost),
        _count("new clients: errors and wrong answers", len(findings.wrong)),
        _count("changes refused", len(findings.refused)),
        Row("a change, all", Spread.of(everything).in_ms()),
        *(
            Row(f"… of {changed}", Spread.of(seconds).in_ms())
            for changed, seconds in sorted(findings.seconds.items())
        ),
    ]


def _count(what: str, count: int) -> Row:
    return Row(what, str(count), "0", count == 0)
