"""One cluster's servers: PostgreSQL, what is in it, and PgBouncer, in that order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.firewall import describe_reach
from poolkeeper.domain.maintenance import RestartCause, describe_pending
from poolkeeper.domain.status import ServerProcess
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.process import find_pooler
from poolkeeper.engine.postgres.log import prune_logs
from poolkeeper.engine.postgres.server import find_postmaster
from poolkeeper.reconcile import postgres
from poolkeeper.reconcile.backends import Backends
from poolkeeper.reconcile.catalog import apply_catalog
from poolkeeper.reconcile.configuration import explain_former, explain_refusal
from poolkeeper.reconcile.firewall import Firewall
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.pooler import Outcome, Pooler
from poolkeeper.reconcile.postgres import Progress
from poolkeeper.reconcile.postgres_conf import PostgresConf
from poolkeeper.reconcile.restart import PlannedRestart, Restarted


@dataclass(frozen=True)
class Applied:
    """What a pass did: ``catalog`` has what failed and why, by subject; ``shrinking`` pools
    still have more backends than their size; ``restarted`` servers were not running;
    ``reason`` tells what is not as it should be though all was done; ``pending`` waits for a
    restart of PostgreSQL, which runs with ``max_connections``;
    ``cutting``: clients that may not connect any more may still turn up."""

    outcome: Outcome
    catalog: Mapping[str, str]
    shrinking: Collection[str]
    restarted: tuple[str, ...]
    reason: str
    pending: tuple[str, ...]
    max_connections: int
    cutting: bool


class Servers:
    """Remembers connections and what PostgreSQL was last configured for; else it looks."""

    def __init__(self, host: Host, paths: ClusterPaths) -> None:
        self.paths = paths
        self._host = host
        self._backends = Backends(paths)
        self._pooler = Pooler(host, paths, self._backends)
        self._firewall = Firewall(self._pooler, self._backends)
        self._configured_for: object = None
        self._refused: Mapping[str, str] = {}
        self._restart = PlannedRestart(host, paths, self._backends, self._pooler)
        self._pending: tuple[str, ...] = ()
        self._max_connections = 0
        self._version = ""
        self._former = ""
        self._unheard = ""

    def are_running(self) -> bool:
        return postgres.is_running(self.paths) and self._pooler.is_running()

    def close(self) -> None:
        """Let go of connections, and look at everything again next time; the servers go on."""
        self._pooler.close()
        self._backends.close()
        self._firewall.look_again()
        self._configured_for = None

    def check_pooler(self, desired: Desired) -> None:
        """Raises EngineError unless PgBouncer answers."""
        self._pooler.check(desired)

    def describe(self, desired: Desired) -> tuple[ServerProcess, ...]:
        """The processes that run. Raises EngineError."""
        found = (
            postgres.describe(desired, self.paths, self._version),
            self._pooler.describe(desired),
        )
        return tuple(process for process in found if process is not None)

    def list_pids(self) -> frozenset[int]:
        """Of the processes that run now. Raises OSError."""
        found = (find_postmaster(self.paths), find_pooler(self.paths))
        return frozenset(facts.pid for facts in found if facts is not None)

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
        restarted = self._ensure_postgres(desired, progress, is_new=applied == 0)
        step = partial(self._host.changes.step, desired.cluster.id)
        catalog = apply_catalog(self._backends, desired, applied, retried, step)
        failures = {**catalog, **self._refused}
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
        dropped = {u.name for u in desired.users if u.deleted and u.generation > applied}
        self._pooler.cut_users(desired, dropped)
        cutting = self._firewall.cut(desired)
        shrinking = self._pooler.shrink(desired, outcome)
        if is_look_around:
            self._unheard = self._describe_unheard(desired)
        reasons = (describe_reach(desired.rules), self._former, self._unheard)
        reason = "; ".join(each for each in (*reasons, self._restart.obstacle) if each)
        standing = (reason, self._pending, self._max_connections)
        return Applied(outcome, failures, shrinking, restarted, *standing, cutting)

    @property
    def restart_is_near(self) -> bool:
        """Whether the moment for a restart that is due may come any instant."""
        return self._restart.is_near

    def restart(self, desired: Desired, cause: RestartCause) -> Restarted | None:
        """One attempt at a planned restart of PostgreSQL; None if the moment is not right yet.

        Raises EngineError, OSError.
        """
        done = self._restart.attempt(desired, cause)
        if done is None:
            return None
        self.close()
        self._look_at_postgres(desired)
        return replace(done, pending=self._pending, max_connections=self._max_connections)

    def forget_restart(self) -> None:
        """None is due, or not any more."""
        self._restart.forget()

    def _describe_unheard(self, desired: Desired) -> str:
        names = self._pooler.list_pending_restarts(desired)
        if not names:
            return ""
        return (
            f"changed settings wait for a restart of PgBouncer ({', '.join(names)}):"
            " run `poolkeeper down --all`, then `poolkeeper up`"
        )

    def _ensure_postgres(
        self, desired: Desired, progress: Progress, *, is_new: bool
    ) -> tuple[str, ...]:
        """Most passes change only pools; PostgreSQL's files depend on what is compared here."""
        users = frozenset(user.name for user in desired.users if not user.deleted)
        cluster = desired.cluster
        wanted = (
            *(cluster.size, cluster.storage_size_mib, cluster.config, cluster.restart_generation),
            *(users, desired.rules, cluster.service_cnames),
        )
        if self._configured_for == wanted and postgres.is_running(self.paths):
            return ()
        started = postgres.ensure_postgres(
            self._host, desired, self.paths, self._backends, progress, is_new=is_new
        )
        self._refused = explain_refusal(self._host, desired, self.paths)
        self._look_at_postgres(desired)
        self._configured_for = wanted
        return ("PostgreSQL",) if started else ()

    def _look_at_postgres(self, desired: Desired) -> None:
        running = self._backends.read_running(desired)
        if running.is_read:
            PostgresConf(self.paths, self._host.processes.account).prove()
        installed = self._host.find_installation(desired.cluster.version).full_version
        self._pending = describe_pending(running.pending, running.version, installed)
        self._max_connections = running.max_connections
        self._version = running.version
        former = explain_former(self._host, desired, self.paths)
        self._former = former and (
            f"PostgreSQL runs with its former configuration ({former}): ask for another, or have"
            " it tried again with `poolkeeper databases maintenance-window install`"
        )
