"""How soon one's change is seen by others, on a machine that does nothing else.

*Panel.* Debian's Chromium has a cluster's *Connection Pools* open while somebody else changes,
creates and deletes pools through the API; time from the call sent until the table shows it, so the
change itself is in it. The page is looked at with each frame that it draws.

*Trusted sources.* A client from another address, through a pool or directly, is connected when the
rules are replaced by some that leave it out; time from the call sent until its connection ends.
Clients that are still let in ask `SELECT 1` after each change.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from playwright.sync_api import Page

from bench.first_load import open_signed_in
from bench.panel_visitor import PanelVisitor
from bench.report import Row
from bench.spread import Spread
from bench.stage import Stage, make_shape, set_up_stage
from tests.e2e.elsewhere import coming_from
from tests.plane import connect

TITLE = "How soon a change is seen"
LIMIT = 300

_PANEL_GOAL = 2.0
_SOURCES_GOAL = 1.0
_TIMEOUT = 30.0
_HERE, _ELSEWHERE = "127.0.0.1", "127.0.0.3"

_SHOWS = """([name, size]) => {
  const row = [...document.querySelectorAll("tbody tr")].find(
    (row) => row.querySelector("a.name")?.textContent.trim() === name);
  return size === null ? !row : row?.querySelector("td[data-label=Size] b")?.textContent === size;
}"""


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    rounds = 3 if quick else 30
    with set_up_stage() as stage:
        return [*_watch_panel(stage, rounds), *_shut_out(stage, rounds)]


def _watch_panel(stage: Stage, rounds: int) -> list[Row]:
    stage.create_pool("steady", size=1)
    taken: dict[str, list[float]] = {"changed": [], "created": [], "deleted": []}
    with _open_pools(stage) as page:

        def see(what: str, change: Callable[[], object], name: str, size: int | None) -> None:
            shown = None if size is None else str(size)
            started = time.perf_counter()
            change()
            page.wait_for_function(_SHOWS, arg=[name, shown], polling="raf")
            taken[what].append(time.perf_counter() - started)
            # The next one comes at any moment of the second in which the page is told numbers.
            time.sleep(0.37)

        for number in range(rounds):
            size = number % 9 + 2
            shape = make_shape(size=size)
            see("changed", lambda: stage.ask("PUT", "pools/steady", shape), "steady", size)  # noqa: B023
            see("created", lambda: stage.create_pool("new", size=2), "new", 2)
            see("deleted", lambda: stage.ask("DELETE", "pools/new"), "new", None)
    return [
        _describe(f"a pool {what} through the API, on an open page", found, _PANEL_GOAL)
        for what, found in taken.items()
    ]


@contextmanager
def _open_pools(stage: Stage) -> Iterator[Page]:
    with PanelVisitor(stage.plane) as visitor, open_signed_in(stage.plane, visitor.cookie) as page:
        page.set_default_timeout(_TIMEOUT * 1000)
        page.goto(f"/databases/{stage.cluster['id']}/pools")
        page.wait_for_function(_SHOWS, arg=["steady", "1"])
        yield page


def _shut_out(stage: Stage, rounds: int) -> list[Row]:
    doors = {"through a pool": stage.create_pool("web", size=2), "directly": stage.direct_uri}
    taken: dict[str, list[float]] = {name: [] for name in doors}
    errors = 0
    with ExitStack() as stack:
        outside = {
            name: stack.enter_context(coming_from(_ELSEWHERE, uri)) for name, uri in doors.items()
        }
        inside = [stack.enter_context(connect(uri)) for uri in doors.values()]
        for _ in range(rounds):
            for name, uri in outside.items():
                with connect(uri) as client:
                    client.execute("SELECT 1")
                    taken[name].append(_time_end(client, lambda: _set_rules(stage, _HERE)))
                errors += sum(not _answers(each) for each in inside)
                _set_rules(stage)
    rows = [
        _describe(f"trusted sources, a client {name} is out", found, _SOURCES_GOAL)
        for name, found in taken.items()
    ]
    return [*rows, Row("trusted sources, errors of those let in", str(errors), "0", errors == 0)]


def _set_rules(stage: Stage, *addresses: str) -> None:
    rules = [{"type": "ip_addr", "value": address} for address in addresses]
    stage.ask("PUT", "firewall", {"rules": rules})


def _time_end(client: psycopg.Connection[Any], act: Callable[[], None]) -> float:
    """Seconds from the beginning of ``act`` until the connection has ended."""
    started = time.perf_counter()
    act()
    try:
        while select.select([client.fileno()], [], [], _TIMEOUT)[0]:
            client.pgconn.consume_input()
    except psycopg.OperationalError:
        return time.perf_counter() - started
    raise RuntimeError(f"a client that is left out is still there after {_TIMEOUT:g} s")


def _answers(client: psycopg.Connection[Any]) -> bool:
    try:
        return client.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False


def _describe(what: str, found: list[float], goal: float) -> Row:
    spread = Spread.of(found)
    return Row(what, spread.in_ms(), f"each ≤ {goal:g} s", spread.most <= goal)
