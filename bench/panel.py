"""How quick the control panel is, what it makes a browser load, and what it costs to leave it open.

*Pages.* Every page there is, over a store of 100 clusters of 10 pools, 3 users and 3 databases each
and a history of the last 15 minutes, of ten clusters 30 days (`bench/full_store.py`: the real HTTPS
server, store and check of the session, but no servers behind the clusters). One visitor, one
connection that stays open; time from the first byte sent to the last one received, so more than the
server's own. In each of 20 rounds every page is asked for five times. `charts.json` is no page, but
what its charts ask for. One more cluster has 1,000 pools, of which its page shows fifty. Whatever
has charts is asked for over 24 hours and 30 days, too, once of each of the ten clusters: a second
answer would be the first one, kept.

*First load.* Debian's Chromium, signed in, with an empty cache, opens the pages with most in them;
all it transfers until the page stands and a second and a half longer, headers included.

*Open panels.* One cluster whose pool is kept busy by 20 pgbench clients; 50 people, each signed in
for himself, have its overview open. Processor time of the control plane, from `/proc/<pid>/stat`,
while nobody looks and while they all do, in turns; the figure is the difference.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.first_load import FirstLoad, load_first
from bench.full_store import DATABASES, MONTHS, USERS, make_id
from bench.latency import serve_full_store
from bench.open_panels import OpenPanel, open_panels
from bench.panel_visitor import PanelVisitor
from bench.pgbench import running_load
from bench.report import Row
from bench.spread import Spread
from bench.stage import set_up_stage
from bench.usage import read_cpu_seconds
from tests.panel.addresses import compose, list_pages, list_routes
from tests.plane import Plane

TITLE = "The control panel"
LIMIT = 900

_CLUSTERS = 100
_ROUNDS = 20
_SLOWEST = 0.05
_LARGEST = 150_000
_PANELS = 50
_CLIENTS = 20
_MOST_CPU = 0.05

_CLUSTER = f"/databases/{make_id(0)}"
_CHARTED = (_CLUSTER, f"{_CLUSTER}/pools/pool-5")
_LONG_SPANS = ("24h", "30d")
_HEAVY = ("/databases", _CLUSTER, f"{_CLUSTER}/pools", f"{_CLUSTER}/pools/pool-5")


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    return [*_look_at_full_store(quick), *_leave_open(quick)]


def list_addresses() -> list[str]:
    """Every page there is, of the first cluster and its sixth pool, and what charts ask for."""
    names = {"pool": "pool-5", "user": USERS[1], "database": DATABASES[1]}
    return [
        *list_pages(make_id(0), **names),
        *(
            compose(path, make_id(0), **names)
            for path in list_routes()
            if path.endswith("/charts.json")
        ),
    ]


def _look_at_full_store(quick: bool) -> list[Row]:
    clusters, rounds, times = (3, 1, 3) if quick else (_CLUSTERS, _ROUNDS, 5)
    crowded = f"/databases/{make_id(clusters)}"
    paths = [*list_addresses(), crowded, f"{crowded}/pools"]
    taken: dict[str, list[float]] = {path: [] for path in paths}
    with serve_full_store(clusters, "--panel") as plane, PanelVisitor(plane) as visitor:
        for path in taken:
            visitor.ask(path)
        for _ in range(rounds):
            for path, found in taken.items():
                found += [visitor.ask(path)[0] for _ in range(times)]
        taken |= _ask_for_long_spans(visitor, min(clusters, MONTHS))
        loads = load_first(plane, visitor.cookie, list(_HEAVY[:2] if quick else _HEAVY))
    rows = [
        _describe_page(path.replace(crowded, "/databases/(1,000 pools)"), Spread.of(found))
        for path, found in taken.items()
    ]
    return rows + _describe_loads(loads)


def _ask_for_long_spans(visitor: PanelVisitor, clusters: int) -> dict[str, list[float]]:
    taken = {}
    for span in _LONG_SPANS:
        for path in (*_CHARTED, *(f"{path}/charts.json" for path in _CHARTED)):
            taken[f"{path}?span={span}"] = [
                visitor.ask(
                    f"{path.replace(_CLUSTER, f'/databases/{make_id(number)}')}?span={span}"
                )[0]
                for number in range(clusters)
            ]
    return taken


def _describe_page(path: str, spread: Spread) -> Row:
    what = f"`{path.replace(_CLUSTER, '/databases/…')}`"
    goal = f"p95 ≤ {_SLOWEST * 1000:g} ms"
    return Row(what, spread.in_ms(), goal, spread.p95 <= _SLOWEST)


def _describe_loads(loads: dict[str, FirstLoad]) -> list[Row]:
    rows = []
    for path, load in loads.items():
        what = f"first load of `{path.replace(_CLUSTER, '/databases/…')}`"
        found = f"{load.total / 1000:.1f} kB in {len(load.transferred)} requests"
        rows.append(Row(what, found, f"≤ {_LARGEST / 1000:g} kB", load.total <= _LARGEST))
    elsewhere = sorted({address for load in loads.values() for address in load.elsewhere})
    found = ", ".join(elsewhere) or "none"
    return [*rows, Row("requests to other machines", found, "none", not elsewhere)]


def _leave_open(quick: bool) -> list[Row]:
    count, rounds, seconds = (5, 1, 3) if quick else (_PANELS, 4, 15)
    with ExitStack() as stack:
        stage = stack.enter_context(set_up_stage(scale=1))
        uri = stage.create_pool("busy", size=10)
        stack.enter_context(running_load(uri, _CLIENTS))
        visitors = [stack.enter_context(PanelVisitor(stage.plane)) for _ in range(count)]
        path = f"/databases/{stage.cluster['id']}"
        alone: list[float] = []
        watched: list[float] = []
        told: list[float] = []
        for _ in range(rounds):
            alone.append(_measure(stage.plane, seconds))
            with open_panels(visitors, path) as panels, _count_events(panels, told, seconds):
                watched.append(_measure(stage.plane, seconds))
    more = statistics.median(watched) - statistics.median(alone)
    return [
        Row("processor, nobody looks", _describe_shares(alone)),
        Row(f"processor, {count} open panels", _describe_shares(watched)),
        Row(
            f"{count} open panels cost",
            f"{more:.1%} of a core",
            f"≤ {_MOST_CPU:.0%} of a core",
            more <= _MOST_CPU,
        ),
        Row("each is told", f"{statistics.median(told):.2f} times a second"),
    ]


@contextmanager
def _count_events(panels: list[OpenPanel], told: list[float], seconds: int) -> Iterator[None]:
    before = [panel.events for panel in panels]
    yield
    told += [(panel.events - was) / seconds for panel, was in zip(panels, before, strict=True)]


def _measure(plane: Plane, seconds: int) -> float:
    assert plane.process is not None
    # What opening and closing pages set off is over.
    time.sleep(2)
    before, started = read_cpu_seconds(plane.process.pid), time.monotonic()
    time.sleep(seconds)
    used = read_cpu_seconds(plane.process.pid) - before
    return used / (time.monotonic() - started)


def _describe_shares(shares: list[float]) -> str:
    median = statistics.median(shares)
    return f"{median:.1%} of a core ({min(shares):.1%}–{max(shares):.1%}, n = {len(shares)})"
