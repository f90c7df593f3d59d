"""10,000 clients log in (SCRAM) to one pool of 10 backends and stay, in transaction mode: once
without TLS, through PgBouncer's Unix socket (over the network Poolkeeper's pools demand TLS), and
once over TCP with TLS 1.3. Each time a cluster, and with it a PgBouncer, of its own. They come from
four processes of a minimal client (`bench/wire.py`).

Memory of the PgBouncer process (RSS, PSS; kB of 1024 bytes, from `smaps_rollup`) before they come,
once they are there, and after each has asked one query; the difference, divided by their number.
What the kernel keeps for sockets is not in it. Then 20 pgbench clients work beside them for 5 s,
and the backends are counted in `pg_stat_activity` ten times a second. At the end every idle
client asks once more: those that are answered were held. `max_client_conn` is 10,100 instead of
10,000, to let the 20 in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.idle_clients import IdleClients, connected_clients
from bench.pgbench import run_for
from bench.report import Row
from bench.stage import Stage, set_up_stage
from bench.usage import Memory, read_memory
from bench.wire import Place
from tests.plane import connect

TITLE = "Idle clients"
LIMIT = 600

_BACKENDS = 10
_ACTIVE = 20


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    clients: int
    rest: float
    seconds: int


FULL = Plan(clients=10_000, rest=20, seconds=5)
QUICK = Plan(clients=300, rest=1, seconds=1)


@dataclass(frozen=True)
class Way:
    """How the clients come, and how many kB each may take."""

    name: str
    tls: bool
    most_kb: float


_WAYS = (Way("without TLS", False, 1.5), Way("with TLS", True, 16))


@dataclass(frozen=True)
class Findings:
    """What one way came to."""

    connected: int
    seconds_to_connect: float
    held: int
    before: Memory
    idle: Memory
    asked: Memory
    backends: int
    tps: float


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    plan = QUICK if quick else FULL
    rows = []
    for way in _WAYS:
        with set_up_stage(scale=1, max_client_conn=plan.clients + 100) as stage:
            rows += _list_rows(way, plan, _measure(stage, way, plan))
    return rows


def _measure(stage: Stage, way: Way, plan: Plan) -> Findings:
    uri = stage.create_pool("idle", size=_BACKENDS)
    # So that backends and buffers which come with the first work are not the idle clients'.
    run_for(uri, clients=_ACTIVE, seconds=plan.seconds, protocol="simple")
    before, started = read_memory(stage.pooler_pid), time.monotonic()
    with connected_clients(_find_place(stage, uri, way), plan.clients) as clients:
        seconds = time.monotonic() - started
        _look_at_errors(clients)
        time.sleep(plan.rest)
        idle = read_memory(stage.pooler_pid)
        clients.ask_each()
        asked = read_memory(stage.pooler_pid)
        with _watched_backends(stage) as counts:
            report, _ = run_for(uri, clients=_ACTIVE, seconds=plan.seconds, protocol="simple")
        held = clients.ask_each()
        connected = clients.connected
    return Findings(
        connected, seconds, held, before, idle, asked, max(counts, default=0), report.tps
    )


def _find_place(stage: Stage, uri: str, way: Way) -> Place:
    parts = urlsplit(uri)
    assert parts.hostname and parts.port and parts.username and parts.password
    host, ca_file = parts.hostname, str(stage.plane.ca)
    if not way.tls:
        host, ca_file = str(stage.paths.pooler_run(1) / f".s.PGSQL.{parts.port}"), ""
    return Place(host, parts.port, parts.path[1:], parts.username, parts.password, ca_file or None)


def _look_at_errors(clients: IdleClients) -> None:
    errors = [f"{count} × {error}" for error, count in clients.errors.items()]
    if not clients.connected:
        raise RuntimeError(f"no client could log in: {'; '.join(errors)}")
    for error in errors:
        print(error)


@contextmanager
def _watched_backends(stage: Stage) -> Iterator[list[int]]:
    """The pool's backends as PostgreSQL sees them, counted ten times a second in the block."""
    counts: list[int] = []
    stopped = threading.Event()

    def count() -> None:
        with connect(stage.direct_uri) as connection:
            while not stopped.wait(0.1):
                found = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE usename = current_user AND pid <> pg_backend_pid()"
                ).fetchone()
                assert found is not None
                counts.append(found[0])

    watcher = threading.Thread(target=count)
    watcher.start()
    try:
        yield counts
    finally:
        stopped.set()
        watcher.join()


def _list_rows(way: Way, plan: Plan, found: Findings) -> list[Row]:
    rss = (found.idle.rss - found.before.rss) / found.connected
    pss = (found.idle.pss - found.before.pss) / found.connected
    asked = (found.asked.rss - found.before.rss) / found.connected
    return [
        Row(
            f"{way.name}: held",
            f"{found.held:,} of {plan.clients:,}, connected in {found.seconds_to_connect:.0f} s",
            f"{plan.clients:,}",
            found.held == plan.clients,
        ),
        Row(
            f"{way.name}: pooler's memory for each",
            f"{rss:.2f} kB (PSS {pss:.2f})",
            f"≤ {way.most_kb:g} kB",
            rss <= way.most_kb,
        ),
        Row(f"{way.name}: … after a query of each", f"{asked:.2f} kB"),
        Row(
            f"{way.name}: PostgreSQL's backends at work",
            f"{found.backends} (with {_ACTIVE} active clients, {found.tps:,.0f} transactions/s)",
            f"{_BACKENDS}, the pool's size",
            found.backends == _BACKENDS,
        ),
        Row(f"{way.name}: pooler's memory before they came", f"{found.before.rss:,} kB"),
    ]
