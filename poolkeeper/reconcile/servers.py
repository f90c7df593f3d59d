"""One cluster's servers: PostgreSQL, what is in it, and PgBouncer, in that order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.status import PoolLoad, ServerProcess
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres.log import prune_logs
from poolkeeper.reconcile import postgres
from poolkeeper.reconcile.backends import Backends
from poolkeeper.reconcile.catalog import apply_catalog
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.pooler import Outcome, Pooler
from poolkeeper.reconcile.postgres import Progress


@dataclass(frozen=True)
class Applied:
    """What a pass did: ``catalog`` has what failed and why, by subject; ``shrinking`` pools
    still have more backends than their size; ``restarted`` servers were not running;
    ``pending`` tells of settings that wait for a restart."""

    outcome: Outcome
    catalog: Mapping[str, str]
    shrinking: Collection[str]
    restarted: tuple[str, ...]
    pending: str


class Servers:
    """Remembers connections and what PostgreSQL was last configured for; else it looks."""

    def __init__(self, host: Host, paths: ClusterPaths) -> None:
        self.paths = paths
        self._host = host
        self._backends = Backends(paths)
        self._pooler = Pooler(host, paths, self._backends)
        self._configured_for: object = None
        self._pending = ""

    def are_running(self) -> bool:
        return postgres.is_running(self.paths) and self._pooler.is_running()

    def close(self) -> None:
        """Let go of connections, and look at everything again next time; the servers go on."""
        self._pooler.close()
        self._backends.close()
        self._configured_for = None

    def observe_loads(self, desired: Desired) -> Mapping[str, PoolLoad]:
        """What goes on in each pool now. Raises EngineError."""
        return self._pooler.observe_loads(desired)

    def describe(self, desired: Desired) -> tuple[ServerProcess, ...]:
        """The processes that run. Raises EngineError."""
        found = (
            postgres.describe(self._host, desired, self.paths),
            self._pooler.describe(desired),
        )
        return tuple(process for process in found if process is not None)

    def tidy_logs(self, desired: Desired) -> None:
        """Keep the servers' logs from filling the disk. Raises EngineError, OSError."""
        prune_logs(self.paths)
        self._pooler.rotate_log(desired)

    def apply(
        self,
        desired: Desired,
        applied: int,
        failing: Collection[str],
        retried: Collection[str],
        progress: Progress,
    ) -> Applied:
        """Make it so. ``applied``: the generation that is in force; ``failing``: subjects that
        are not, some of which are ``retried``. Raises EngineError, OSError."""
        is_look_around = self._configured_for is None
        restarted = self._ensure_postgres(desired, progress)
        catalog = apply_catalog(self._backends, desired, applied, retried)
        if not self._pooler.is_running():
            progress("starting PgBouncer")
            restarted = (*restarted, "PgBouncer")
        changed = {
            pool.name
            for pool in desired.pools
            if pool.deleted_at is None
            and (pool.generation > applied or f"pool:{pool.name}" in failing)
        }
        outcome = self._pooler.apply(desired, changed, self._host.now())
        shrinking = self._pooler.shrink(desired, outcome.served)
        if is_look_around:
            self._pending = self._describe_pending(desired)
        return Applied(outcome, catalog, shrinking, restarted, self._pending)

    def _describe_pending(self, desired: Desired) -> str:
        names = [
            *self._backends.list_pending_restarts(desired),
            *self._pooler.list_pending_restarts(desired),
        ]
        if not names:
            return ""
        return (
            f"changed settings wait for a restart ({', '.join(names)}):"
            " run `poolkeeper down --all`, then `poolkeeper up`"
        )

    def _ensure_postgres(self, desired: Desired, progress: Progress) -> tuple[str, ...]:
        """Most passes change only pools; PostgreSQL's files depend on what is compared here."""
        users = frozenset(user.name for user in desired.users if not user.deleted)
        wanted = (desired.cluster.size, users)
        if self._configured_for == wanted and postgres.is_running(self.paths):
            return ()
        started = postgres.ensure_postgres(
            self._host, desired, self.paths, self._backends, progress
        )
        self._configured_for = wanted
        return ("PostgreSQL",) if started else ()
