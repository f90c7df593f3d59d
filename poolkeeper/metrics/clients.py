"""Who one cluster's clients are, by what they call themselves.

Asked seldom: PgBouncer serves nobody while it lists them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import ConsoleUnreachable
from poolkeeper.domain.status import ApplicationClients, PoolClients
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.console import Console
from poolkeeper.engine.pgbouncer.shown import ServedClient

# An application can call itself whatever it likes, each client of it otherwise.
MOST_APPLICATIONS = 50
_LONGEST_NAME = 64

# PgBouncer serves nobody while it lists its clients: 2 ms for 1,000 of them, on a slow machine a
# few times that. By their number and not by the time an answer took, which on a busy machine is
# mostly waiting for a processor: 10,000 clients are listed every 20 s, in which it is 0.1 to 0.5 %.
_PAUSE = 5.0
_PAUSE_PER_CLIENT = 0.002

ClientsByPool = Mapping[str, PoolClients]


class ClientsSource:
    """Keeps a console connection."""

    def __init__(self, paths: ClusterPaths, now: Callable[[], datetime]) -> None:
        self._paths = paths
        self._now = now
        self._console: Console | None = None

    def read(self, desired: Desired) -> ClientsByPool:
        """The clients of each pool that has some. Raises ConsoleUnreachable."""
        if self._console is None:
            port, password = desired.cluster.ports.pool, desired.console_password
            self._console = Console.connect(self._paths, port, password)
        try:
            found = self._console.list_clients()
        except ConsoleUnreachable:
            self.close()
            raise
        return count_clients(found, self._now())

    def close(self) -> None:
        if self._console is not None:
            self._console.close()
        self._console = None


def pause_after(clients: ClientsByPool) -> float:
    """Seconds until they may be listed again."""
    total = sum(each.total for each in clients.values())
    return max(_PAUSE, total * _PAUSE_PER_CLIENT)


def count_clients(found: Iterable[ServedClient], seen_at: datetime) -> dict[str, PoolClients]:
    """Clients by pool and application."""
    counts: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    waits: dict[tuple[str, str], float] = {}
    for client in found:
        application = _clean(client.application)
        counts[client.pool][application, client.state] += 1
        if client.state == "waiting":
            key = client.pool, application
            waits[key] = max(waits.get(key, 0.0), client.wait_seconds)
    return {pool: _sum_up(pool, of_pool, waits, seen_at) for pool, of_pool in counts.items()}


def _sum_up(
    pool: str,
    counts: Counter[tuple[str, str]],
    waits: Mapping[tuple[str, str], float],
    seen_at: datetime,
) -> PoolClients:
    totals: Counter[str] = Counter()
    for (application, _), count in counts.items():
        totals[application] += count
    shown = sorted(totals, key=lambda name: (-totals[name], name))[:MOST_APPLICATIONS]
    applications = tuple(
        _describe(name, totals[name], counts, waits.get((pool, name), 0.0)) for name in shown
    )
    return PoolClients(
        seen_at, applications, totals.total() - sum(each.total for each in applications)
    )


def _describe(
    application: str, total: int, counts: Counter[tuple[str, str]], wait: float
) -> ApplicationClients:
    active, waiting = counts[application, "active"], counts[application, "waiting"]
    return ApplicationClients(application, active, waiting, total - active - waiting, wait)


def _clean(application: str) -> str:
    shown = "".join(sign for sign in application if sign.isprintable())
    return shown[:_LONGEST_NAME]
