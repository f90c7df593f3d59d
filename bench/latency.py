"""How long the API takes to answer when its store has 1, 100 and 1,000 clusters, each of 10 pools,
3 users and 3 databases. Three fronts (`bench/full_store.py`), each a process of its own with the
real HTTPS server, SQLite store and token check; the clusters have no servers, and the reconciler is
not started. One client, one connection that stays open, passwords shown; time from the first byte
sent to the last one received. In each of ten rounds every call is put to the three fronts one right
after the other, so that the machine's moods hit all of them. Ranges are over the rounds.

Cost must not grow faster than the answer does: the rows of growth tell how much longer (median) and
how much larger an answer is with 100 clusters than with 1, and then with 1,000 than with 100. One
tenth is allowed for noise.
"""

from __future__ import annotations

import http.client
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from bench.full_store import make_id
from bench.machine import ROOT
from bench.report import Row
from bench.stage import bare_plane
from tests.plane import Plane, wait_until

TITLE = "Latency of the API, by the size of the store"
LIMIT = 600

_SIZES = (1, 100, 1000)
_ROUNDS = 10
_NOISE = 1.1

_CLUSTER = f"/v2/databases/{make_id(0)}"


@dataclass(frozen=True)
class Call:
    """A request that is measured, so often in each round. ``goal``: the p99, in seconds."""

    name: str
    path: str
    times: int
    goal: float | None = None


_CALLS = (
    Call("`GET` cluster", _CLUSTER, 100, 0.015),
    Call("`GET` pool", f"{_CLUSTER}/pools/pool-5", 100, 0.015),
    Call("list pools of a cluster", f"{_CLUSTER}/pools", 100, 0.015),
    Call("list clusters", "/v2/databases", 10, 0.5),
    Call("list clusters, a page of 200", "/v2/databases?page=1&per_page=200", 10, 0.5),
    Call("list clusters, `/v1`", "/v1/clusters", 10, 0.5),
)


@dataclass
class Taken:
    """Seconds of every answer to one call, by round, and how many bytes each has."""

    rounds: list[list[float]] = field(default_factory=list)
    size: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self._all())

    @property
    def p99(self) -> float:
        return _find_p99(self._all())

    def describe(self) -> str:
        """Median and 99th percentile with their ranges over the rounds, and the size."""
        medians = [statistics.median(times) for times in self.rounds]
        tails = [_find_p99(times) for times in self.rounds]
        return (
            f"p50 {_in_ms(self.median)} ms ({_in_ms(min(medians))}–{_in_ms(max(medians))}),"
            f" p99 {_in_ms(self.p99)} ms ({_in_ms(min(tails))}–{_in_ms(max(tails))}),"
            f" {self.size / 1000:,.1f} kB (n = {len(self._all()):,})"
        )

    def _all(self) -> list[float]:
        return [seconds for times in self.rounds for seconds in times]


class Front:
    """One connection to a front of so many clusters."""

    def __init__(self, plane: Plane) -> None:
        trust = ssl.create_default_context(cafile=str(plane.ca))
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", plane.api_port, context=trust, timeout=60
        )
        self._headers = {"authorization": f"Bearer {plane.token}"}

    def ask(self, path: str) -> tuple[float, int]:
        """The seconds until the answer was there, and its bytes. Raises RuntimeError."""
        started = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - started
        if answer.status != 200:
            raise RuntimeError(f"GET {path}: {answer.status} {body[:300]!r}")
        return seconds, len(body)

    def ask_often(self, call: Call, times: int) -> list[tuple[float, int]]:
        """So many answers to a call, over one connection that is open before the first."""
        self.connect()
        return [self.ask(call.path) for _ in range(times)]

    def connect(self) -> None:
        """Anew: an idle connection is closed by the server."""
        self._connection.close()
        self.ask("/v1/health")

    def close(self) -> None:
        self._connection.close()


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    rounds, most = (1, 5) if quick else (_ROUNDS, None)
    taken = {(call.name, size): Taken() for call in _CALLS for size in _SIZES}
    with ExitStack() as stack:
        fronts = {size: stack.enter_context(_open_front(size)) for size in _SIZES}
        for call in _CALLS:
            for front in fronts.values():
                front.ask_often(call, 3)
        for _ in range(rounds):
            for call in _CALLS:
                for size, front in fronts.items():
                    answers = front.ask_often(call, most or call.times)
                    taken[call.name, size].rounds.append([seconds for seconds, _ in answers])
                    taken[call.name, size].size = answers[-1][1]
    rows = [_describe(call, size, taken[call.name, size]) for call in _CALLS for size in _SIZES]
    return rows + [_compare(call, [taken[call.name, size] for size in _SIZES]) for call in _CALLS]


def _describe(call: Call, size: int, taken: Taken) -> Row:
    what = f"{call.name}, of {size:,} cluster{'s' * (size > 1)}"
    if call.goal is None:
        return Row(what, taken.describe())
    return Row(what, taken.describe(), f"p99 ≤ {call.goal * 1000:g} ms", taken.p99 <= call.goal)


def _compare(call: Call, taken: Sequence[Taken]) -> Row:
    steps = [
        (after.median / before.median, after.size / before.size)
        for before, after in pairwise(taken)
    ]
    found = ", then ".join(
        f"time × {slower:.2f}, answer × {larger:.2f}" for slower, larger in steps
    )
    met = all(slower <= larger * _NOISE for slower, larger in steps)
    return Row(f"{call.name}: growth", found, "time not more than answer", met)


@contextmanager
def _open_front(clusters: int) -> Iterator[Front]:
    with serve_full_store(clusters) as plane:
        front = Front(plane)
        yield front
        front.close()


@contextmanager
def serve_full_store(clusters: int, *flags: str) -> Iterator[Plane]:
    """`bench/full_store.py` with so many clusters, as a process; it answers."""
    plane = bare_plane()
    command = (sys.executable, "-m", "bench.full_store")
    with plane.output.open("ab") as output:
        process = subprocess.Popen(
            [*command, str(plane.home), str(plane.api_port), str(clusters), *flags],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    plane.process = process
    try:
        token = plane.home / "token"
        wait_until(
            "the front has a store", lambda: token.exists() or process.poll() is not None, 120
        )
        if process.poll() is not None:
            raise RuntimeError(f"the front ended with {process.returncode}")
        wait_until("the front answers", lambda: _answers(plane), 60)
        yield plane
    except BaseException:
        print(plane.logs())
        raise
    finally:
        plane.destroy()


def _answers(plane: Plane) -> bool:
    try:
        front = Front(plane)
        front.connect()
    except OSError:
        return False
    front.close()
    return True


def _find_p99(values: Sequence[float]) -> float:
    """The nearest rank."""
    ordered = sorted(values)
    return ordered[-(-99 * len(ordered) // 100) - 1]


def _in_ms(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
