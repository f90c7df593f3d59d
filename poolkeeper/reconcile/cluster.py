"""One cluster, one pass: a checklist in fixed order.

deleted? → PostgreSQL runs and is configured → users and databases → PgBouncer → status.
A missing prerequisite is a phase with a reason, never a crash.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from uuid import UUID

import structlog

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.maintenance import RestartCause, decide_restart
from poolkeeper.domain.status import ClusterState, Failure, Phase
from poolkeeper.engine.files import remove_tree
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.reconcile import teardown
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.postgres import read_start
from poolkeeper.reconcile.servers import Servers
from poolkeeper.reconcile.standing import merge_failures, write_restart, write_standing
from poolkeeper.store import clusters, status

RESTING = 1.0
BUSY = 0.2
LONG = 60.0
_LONGEST_BACKOFF = 30.0
_PARKED_AFTER = 3
_RESYNC_EVERY = 60.0
# The sampler asks the pooler each second; if it got no answer for so long, we ask why.
_UNHEARD = 3.0
_RETRY_FAILURES_EVERY = 30.0

_log = structlog.get_logger("poolkeeper.reconcile")


def choose_pause(attempts: int) -> float:
    """The seconds until the next attempt, after so many in vain."""
    # A cluster may fail for weeks, and 2 to the power of some thousands is no float.
    pause: float = min(0.25 * 2 ** min(attempts, 10), _LONGEST_BACKOFF)
    return pause * random.uniform(0.8, 1.2)


class ClusterReconciler:
    """Brings one cluster to what is wanted, pass by pass.

    It remembers only what saves work (what was read last, when to look at everything
    again); whatever counts is in the store, or observed.
    """

    def __init__(self, host: Host, cluster_id: UUID) -> None:
        self._host = host
        self._id = cluster_id
        self._desired: Desired | None = None
        self._servers: Servers | None = None
        self._attempts = 0
        self._unsettled = True
        self._resync_at = 0.0
        self._retry_at = 0.0

    def tick(self) -> float | None:
        """One pass; returns the seconds until the next is due, None when there is no more."""
        desired, state = self._read()
        if desired is None:
            self.close()
            return None
        servers = self._servers or self._open(desired)
        try:
            if desired.cluster.deleted_at is not None:
                return self._tear_down(desired, state, servers)
            self._converge(desired, state, servers)
        except (EngineError, OSError) as error:
            servers.close()
            self._drop_ended(servers)
            return self._fail(state, error)
        self._attempts = 0
        return BUSY if self._unsettled else RESTING

    def close(self) -> None:
        """Let go of connections; the servers go on."""
        if self._servers is not None:
            self._servers.close()

    def _read(self) -> tuple[Desired | None, ClusterState]:
        """What is wanted, read as a whole only when its generation moved, and what is."""
        with self._host.store.read() as tx:
            generation = clusters.read_generation(tx, self._id)
            if generation is None:
                self._desired = None
            elif self._desired is None or self._desired.cluster.generation != generation:
                self._desired = clusters.read_desired(tx, self._id)
            state = status.read_cluster_state(tx, self._id)
        return self._desired, state or ClusterState(self._id, Phase.CREATING, "", tx.now)

    def _open(self, desired: Desired) -> Servers:
        cluster = desired.cluster
        paths = ClusterPaths.of(self._host.state_dir, cluster.id, cluster.ports)
        self._servers = Servers(self._host, paths)
        return self._servers

    def _converge(self, desired: Desired, state: ClusterState, servers: Servers) -> None:
        """Make it so if anything moved or may have, else just look."""
        now = time.monotonic()
        running = servers.are_running()
        settled = state.applied_generation == desired.cluster.generation and not self._unsettled
        settled = settled and self._find_cause(desired, state, servers) is None
        if settled and now < self._resync_at and running:
            if not self._host.observations.saw_loads_within(self._id, _UNHEARD):
                servers.check_pooler(desired)
            return
        resync = now >= self._resync_at or not running
        if resync:
            servers.close()
            self._resync_at = now + _RESYNC_EVERY
        self._unsettled = True
        state = self._apply(desired, state, servers)
        self._restart_if_due(desired, state, servers)
        if resync:
            servers.tidy_logs(desired)
            self._host.observations.put_processes(self._id, servers.describe(desired))

    def _apply(self, desired: Desired, state: ClusterState, servers: Servers) -> ClusterState:
        with self._host.store.read() as tx:
            known = status.read_failures(tx, self._id)
        retried = self._choose_retries(known)
        applied = servers.apply(
            desired,
            state.applied_generation,
            known,
            retried,
            lambda step: self._show_step(state, step),
        )
        failures = merge_failures(desired, known, retried, applied)
        if failures.keys() - known.keys():
            # Who asked for it is about to take it back: tried again at once, it holds up the rest.
            self._retry_at = time.monotonic() + _RETRY_FAILURES_EVERY
        with self._host.store.write(durable=False) as tx:
            standing = write_standing(tx, desired, state, applied, known, failures)
        self._host.changes.publish(self._id)
        self._unsettled = bool(
            applied.shrinking or applied.outcome.plan.draining or applied.cutting
        )
        if state.applied_generation != desired.cluster.generation or applied.restarted:
            _log.info(
                "applied",
                cluster=desired.cluster.name,
                generation=desired.cluster.generation,
                restarted=applied.restarted,
                failures=sorted(failures),
            )
        return standing

    def _restart_if_due(self, desired: Desired, state: ClusterState, servers: Servers) -> None:
        """Whoever waits for this pass's changes was told before: this may take a while."""
        cause = self._find_cause(desired, state, servers)
        if cause is None:
            servers.forget_restart()
            return
        self._unsettled = True
        done = servers.restart(desired, cause)
        if done is None:
            self._unsettled = servers.restart_is_near
            return
        self._resync_at = 0.0
        with self._host.store.write() as tx:
            write_restart(tx, desired, state, cause, done)
        self._host.changes.announce(self._id)
        _log.info("restarted", cluster=desired.cluster.name, cause=cause, **asdict(done))

    def _find_cause(
        self, desired: Desired, state: ClusterState, servers: Servers
    ) -> RestartCause | None:
        started_at = read_start(servers.paths) if state.pending else None
        if started_at is None:
            return None
        return decide_restart(desired.cluster, state, started_at, self._host.now())

    def _choose_retries(self, known: Mapping[str, Failure]) -> frozenset[str]:
        if not known or time.monotonic() < self._retry_at:
            return frozenset()
        self._retry_at = time.monotonic() + _RETRY_FAILURES_EVERY
        return frozenset(known)

    def _show_step(self, state: ClusterState, step: str) -> None:
        """Show how far creation has come; later on steps are too short to be shown."""
        if state.was_online:
            return
        with self._host.store.write() as tx:
            shown = replace(state, phase=Phase.CREATING, step=step, reason=step, since=tx.now)
            status.write_cluster_state(tx, shown)
        self._host.changes.publish(self._id)

    def _drop_ended(self, servers: Servers) -> None:
        """What ended is not shown as a process any more; what runs is described once it answers."""
        observations = self._host.observations
        with contextlib.suppress(OSError):
            running = servers.list_pids()
            seen = observations.processes(self._id)
            observations.put_processes(
                self._id, tuple(process for process in seen if process.pid in running)
            )

    def _fail(self, state: ClusterState, error: Exception) -> float:
        """Write the reason down and come back later, and later still the more often it fails."""
        self._attempts += 1
        self._unsettled = True
        phase = Phase.PARKED if self._attempts > _PARKED_AFTER else Phase.WAITING
        reason = str(error)
        if (state.phase, state.reason) != (phase, reason):
            _log.warning("pass_failed", cluster_id=str(self._id), phase=phase, reason=reason)
        with self._host.store.read() as tx:
            # The row is read again: a step may have been written during this pass.
            latest = status.read_cluster_state(tx, self._id) or state
        if (latest.phase, latest.reason) != (phase, reason):
            with self._host.store.write() as tx:
                since = state.since if state.phase is phase else tx.now
                failed = replace(latest, phase=phase, reason=reason, since=since)
                status.write_cluster_state(tx, failed)
        self._host.changes.publish(self._id)
        return choose_pause(self._attempts)

    def _tear_down(self, desired: Desired, state: ClusterState, servers: Servers) -> float | None:
        if state.phase is not Phase.DELETED:
            servers.close()
            teardown.stop_servers(servers.paths, is_final=True)
            remove_tree(servers.paths.run)
            with self._host.store.write() as tx:
                teardown.write_stopped(tx, desired, state, servers.paths)
            self._host.observations.forget(self._id)
            self._host.changes.publish(self._id)
            _log.info("cluster_stopped", cluster=desired.cluster.name)
        if not teardown.is_data_due(self._host, desired, self._host.now()):
            return LONG
        try:
            teardown.remove_data(self._host, desired, servers.paths)
        except OSError as error:
            # It stays deleted: to be torn down again would take the sockets of whoever has its
            # ports by now.
            _log.warning("data_not_removed", cluster=desired.cluster.name, reason=str(error))
            return LONG
        _log.info("cluster_removed", cluster=desired.cluster.name)
        return None
