"""What Terraform does by default: ten calls at once, each on a connection of its own, at a cluster
of 4 GiB on a machine that does nothing else. First ten databases, then ten users, then twenty
pools, each in a database and for a user of its own. All of it is deleted again, and done anew.

Times are of single calls, from sent to answered; calls that wait for their turn have that in them.
`CREATE DATABASE` is what takes long: PostgreSQL copies a template for each, one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.report import Row
from bench.spread import Spread
from bench.stage import Stage, make_shape, set_up_stage

TITLE = "Ten creations at once"
LIMIT = 600

_SIDE_BY_SIDE = 10
_GOAL = 5.0

Call = tuple[str, dict[str, object]]


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    rounds = 1 if quick else 5
    kinds = {"databases": _list_databases(), "users": _list_users(), "pools": _list_pools()}
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    refused = 0
    with set_up_stage() as stage:
        for _ in range(rounds):
            for name, calls in kinds.items():
                seconds, statuses = _make(stage, calls)
                taken[name] += seconds
                refused += sum(status != 201 for status in statuses)
            for calls in reversed(kinds.values()):
                for path, body in calls:
                    stage.ask("DELETE", f"{path}/{body['name']}")
    rows = [_describe(f"{len(kinds[name])} {name}", found) for name, found in taken.items()]
    return [*rows, Row("calls that were not answered with 201", str(refused), "0", refused == 0)]


def _list_databases() -> list[Call]:
    return [("dbs", {"name": f"db-{number}"}) for number in range(10)]


def _list_users() -> list[Call]:
    return [("users", {"name": f"user-{number}"}) for number in range(10)]


def _list_pools() -> list[Call]:
    return [
        (
            "pools",
            {"name": f"pool-{number}"}
            | make_shape(db=f"db-{number % 10}", user=f"user-{number % 10}", size=2),
        )
        for number in range(20)
    ]


def _make(stage: Stage, calls: Sequence[Call]) -> tuple[list[float], list[int]]:
    """The seconds and the status of each call."""

    def make(call: Call) -> tuple[float, int]:
        path, body = call
        with stage.plane.client(timeout=120) as client:
            started = time.perf_counter()
            answer = client.post(f"/v2/databases/{stage.cluster['id']}/{path}", json=body)
            return time.perf_counter() - started, answer.status_code

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as clients:
        told = list(clients.map(make, calls))
    return [seconds for seconds, _ in told], [status for _, status in told]


def _describe(what: str, found: Sequence[float]) -> Row:
    spread = Spread.of(found)
    return Row(what, spread.in_ms(), f"each ≤ {_GOAL:g} s", spread.most <= _GOAL)
