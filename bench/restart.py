"""`scripts/up --detach` on a machine that is set up, over a state that has the first cluster and
pool: seconds from its start until it has returned and a login and query through `main-pool` was
answered (tried every 20 ms from then on). Before each start the control plane is stopped: by
`poolkeeper down`, with PostgreSQL and PgBouncer still running, or by `poolkeeper down --all`, so
that they have to be started, too.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from bench.machine import ROOT
from bench.report import Row
from bench.spread import Spread
from bench.stage import bare_plane, find_main_pool, time_query
from tests.plane import Plane, wait_until

TITLE = "A second start"
LIMIT = 300

_MOST = 5.0
_PATIENCE = 30.0


@dataclass(frozen=True)
class Start:
    """Seconds until ``scripts/up`` returned, and until the pool had answered a query."""

    returned: float
    answered: float


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    times = 1 if quick else 5
    with _detached_plane() as plane:
        started = time.perf_counter()
        _bring_up(plane)
        with plane.client() as api:
            uri = find_main_pool(api)
        assert uri is not None
        time_query(uri)
        first = time.perf_counter() - started
        running = [_time_start(plane, uri, "down") for _ in range(times)]
        stopped = [_time_start(plane, uri, "down", "--all", "--force") for _ in range(times)]
    return [
        *_list_rows("PostgreSQL and PgBouncer run on", running),
        *_list_rows("PostgreSQL and PgBouncer stopped as well", stopped),
        Row("for comparison: the first start, on an empty state", f"{first:.2f} s"),
    ]


def _list_rows(what: str, starts: Sequence[Start]) -> list[Row]:
    whole = Spread.of([start.answered for start in starts])
    returned = Spread.of([start.returned for start in starts])
    return [
        Row(what, whole.in_seconds(), f"≤ {_MOST:g} s", whole.most <= _MOST),
        Row("… of which until `scripts/up` returned", returned.in_seconds()),
    ]


def _time_start(plane: Plane, uri: str, *stop: str) -> Start:
    plane.run(*stop)
    started = time.perf_counter()
    _bring_up(plane)
    returned = time.perf_counter() - started
    wait_until("main-pool answers", lambda: _answers(uri), _PATIENCE)
    return Start(returned, time.perf_counter() - started)


def _answers(uri: str) -> bool:
    try:
        time_query(uri)
    except psycopg.OperationalError:
        return False
    return True


def _bring_up(plane: Plane) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "up", "--detach"],
        env=plane.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"scripts/up: {done.stderr.strip()}")


@contextmanager
def _detached_plane() -> Iterator[Plane]:
    """A state and ports for ``scripts/up``; whatever came to run there is ended."""
    plane = bare_plane()
    try:
        yield plane
    except BaseException:
        print(plane.logs())
        raise
    finally:
        if _is_running(plane):
            plane.run("down", "--all", "--force", check=False)
        plane.destroy()


def _is_running(plane: Plane) -> bool:
    done = plane.run("status", "-o", "json", check=False)
    return bool(json.loads(done.stdout or "{}").get("running"))
