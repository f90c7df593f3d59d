"""This machine, the control plane itself, and what each cluster's servers take of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.samples import Values
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.process import find_pooler
from poolkeeper.engine.postgres.server import find_postmaster
from poolkeeper.engine.proc import ProcessFacts
from poolkeeper.engine.usage import read_host, read_tree
from poolkeeper.metrics.rates import Rates


class HostSource:
    """``folder``: on the file system whose room is measured."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rates = Rates()

    def read(self) -> Values:
        """What is known; nothing where ``/proc`` cannot be read."""
        try:
            seen, own = read_host(self._folder), read_tree(os.getpid())
        except OSError:
            return {}
        # Ticks of all processors over ticks of all processors: time itself does not matter.
        counters = {
            "busy": seen.busy_ticks,
            "total": seen.total_ticks,
            "own": own.cpu_seconds,
        }
        grown = self._rates.advance(time.monotonic(), counters)
        busy, total = grown["busy"], grown["total"]
        return {
            "cpu_percent": None if busy is None or not total else min(100 * busy / total, 100),
            "memory_used_bytes": seen.memory_used,
            "memory_total_bytes": seen.memory_total,
            "load_1m": seen.load,
            "disk_used_bytes": seen.disk_used,
            "disk_total_bytes": seen.disk_total,
            "control_plane_cpu_percent": _percent(grown["own"]),
            "control_plane_memory_bytes": own.memory_bytes,
        }


class ServersSource:
    """Processor time and memory of one cluster's PostgreSQL and PgBouncer."""

    def __init__(self, paths: ClusterPaths) -> None:
        self._postgres = _Tree("postgres", paths)
        self._pooler = _Tree("pooler", paths)

    def read(self) -> Values:
        """What is known; nothing of a server that does not run."""
        return {**self._postgres.read(), **self._pooler.read()}


class _Tree:
    def __init__(self, name: str, paths: ClusterPaths) -> None:
        self._name = name
        self._paths = paths
        self._known: ProcessFacts | None = None
        self._rates = Rates()

    def read(self) -> dict[str, float | None]:
        try:
            find = find_postmaster if self._name == "postgres" else find_pooler
            found = find(self._paths)
            if found is None:
                return {}
            usage = read_tree(found.pid)
        except (EngineError, OSError):
            return {}
        if found != self._known:
            self._known = found
            self._rates.forget()
        grown = self._rates.advance(time.monotonic(), {"cpu": usage.cpu_seconds})
        return {
            f"{self._name}_cpu_percent": _percent(grown["cpu"]),
            f"{self._name}_memory_bytes": usage.memory_bytes,
        }


def _percent(seconds_per_second: float | None) -> float | None:
    return None if seconds_per_second is None else 100 * seconds_per_second
