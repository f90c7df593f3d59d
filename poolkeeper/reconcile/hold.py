"""All pools of a cluster held back: clients wait, backends close as they are let go."""

from __future__ import annotations

from collections.abc import Collection

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.pools import PoolMode
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.console import Console
from poolkeeper.engine.pgbouncer.shown import ServedEntry


class Hold:
    """Connections to PgBouncer's console, closed by ``close``; everything raises
    ConsoleUnreachable. A pool stays paused until ``resume``, whatever becomes of us."""

    def __init__(self, paths: ClusterPaths, desired: Desired) -> None:
        self._paths = paths
        self._desired = desired
        self._console = self._connect()
        self._asking: list[Console] = []

    def pause(self) -> None:
        """Ask for all pools to be paused, and wait for none: PAUSE answers when the last
        backend is gone, which in session mode may be never."""
        for name in self._console.list_entries():
            asking = self._connect()
            self._asking.append(asking)
            asking.ask_pause(name)

    def resume(self) -> None:
        """Let everybody go on."""
        self._close_asking()
        for name, entry in self._console.list_entries().items():
            if entry.paused:
                self._console.resume(name)

    def count_sessions(self) -> int:
        """Clients of session pools that hold a backend."""
        loads = self._console.list_loads()
        return sum(
            loads[entry.name].backends_active
            for entry in self._console.list_entries().values()
            if _keeps_backends(entry) and entry.name in loads
        )

    def is_empty(self) -> bool:
        """Whether all pools are paused and have no backend left."""
        entries = self._console.list_entries().values()
        return all(entry.paused and entry.backends == 0 for entry in entries)

    def is_empty_but_for(self, pids: Collection[int]) -> bool:
        """As ``is_empty``, not counting session pools, nor these backends of others."""
        entries = self._console.list_entries().values()
        left = [
            pid
            for entry in entries
            if entry.backends and not _keeps_backends(entry)
            for pid in self._console.list_backend_pids(entry.name)
        ]
        return all(entry.paused for entry in entries) and not set(left) - set(pids)

    def close(self) -> None:
        self._close_asking()
        self._console.close()

    def _close_asking(self) -> None:
        while self._asking:
            self._asking.pop().close()

    def _connect(self) -> Console:
        desired = self._desired
        return Console.connect(self._paths, desired.cluster.ports.pool, desired.console_password)


def _keeps_backends(entry: ServedEntry) -> bool:
    return entry.mode == PoolMode.SESSION
