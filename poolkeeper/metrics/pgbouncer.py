"""One cluster's PgBouncer, as its console tells: what goes on in each pool, and how fast."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import ConsoleUnreachable
from poolkeeper.domain.samples import Values
from poolkeeper.domain.status import IDLE, PoolLoad, sum_loads
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.console import Console
from poolkeeper.engine.pgbouncer.shown import PoolTotals
from poolkeeper.metrics.rates import Rates

_NOTHING = PoolTotals(0, 0, 0, 0, 0, 0.0, 0.0, 0.0)
# Counters of PgBouncer → what their growth per second is called.
_RATES = {
    "xacts": "xacts_per_second",
    "queries": "queries_per_second",
    "assignments": "assignments_per_second",
    "received_bytes": "received_bytes_per_second",
    "sent_bytes": "sent_bytes_per_second",
    "xact_seconds": "xact_work",
    "query_seconds": "query_work",
    "wait_seconds": "waiting_work",
}


@dataclass(frozen=True)
class PoolerReading:
    """``loads``: as ``SHOW POOLS`` has them. ``pools``: values of every pool that is wanted."""

    loads: Mapping[str, PoolLoad]
    pools: Mapping[str, Values]


class PoolerSource:
    """Keeps a console connection; another one means another process, perhaps."""

    def __init__(self, paths: ClusterPaths) -> None:
        self._paths = paths
        self._console: Console | None = None
        self._rates: dict[str, Rates] = {}

    def read(self, desired: Desired) -> PoolerReading:
        """What goes on now. Raises ConsoleUnreachable."""
        console = self._connect(desired)
        try:
            loads, totals = console.list_loads(), console.list_totals()
        except ConsoleUnreachable:
            self.close()
            raise
        at = time.monotonic()
        sizes = {pool.name: pool.shape.size for pool in desired.pools if pool.deleted_at is None}
        self._rates = {name: self._rates.get(name) or Rates() for name in sizes}
        return PoolerReading(
            loads,
            {
                name: {
                    **loads.get(name, IDLE).list_numbers(),
                    **self._advance(name, at, totals.get(name, _NOTHING)),
                    "size": size,
                }
                for name, size in sizes.items()
            },
        )

    def close(self) -> None:
        if self._console is not None:
            self._console.close()
        self._console = None
        for rates in self._rates.values():
            rates.forget()

    def _connect(self, desired: Desired) -> Console:
        if self._console is None:
            self._console = Console.connect(
                self._paths, desired.cluster.ports.pool, desired.console_password
            )
        return self._console

    def _advance(self, name: str, at: float, totals: PoolTotals) -> Values:
        grown = self._rates[name].advance(at, asdict(totals))
        return {_RATES[counter]: rate for counter, rate in grown.items()}


def sum_clients(loads: Mapping[str, PoolLoad]) -> Values:
    """The clients of all pools together, and the longest wait of any."""
    together = sum_loads(loads.values())
    return {
        "clients_active": together.clients_active,
        "clients_waiting": together.clients_waiting,
        "maxwait_seconds": together.maxwait_seconds,
    }
