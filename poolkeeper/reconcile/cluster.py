"""One cluster, one pass: a checklist in fixed order.

deleted? → PostgreSQL runs and is configured → users and databases → PgBouncer → status.
A missing prerequisite is a phase with a reason, never a crash.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import structlog

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.status import ClusterState, Failure, Phase
from poolkeeper.engine.files import remove_tree
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.reconcile import pool_status, postgres, teardown
from poolkeeper.reconcile.backends import Backends
from poolkeeper.reconcile.catalog import apply_catalog
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.pooler import Outcome, Pooler
from poolkeeper.store import clusters, events, status

RESTING = 1.0
BUSY = 0.2
LONG = 60.0
_LONGEST_BACKOFF = 30.0
_RESYNC_EVERY = 60.0
_RETRY_FAILURES_EVERY = 30.0

_log = structlog.get_logger("poolkeeper.reconcile")


class ClusterReconciler:
    """Brings one cluster to what is wanted, pass by pass.

    It remembers only what saves work (what was read last, when to look at everything
    again); whatever counts is in the store, or observed.
    """

    def __init__(self, host: Host, cluster_id: UUID) -> None:
        self._host = host
        self._id = cluster_id
        self._desired: Desired | None = None
        self._paths: ClusterPaths | None = None
        self._backends: Backends | None = None
        self._pooler: Pooler | None = None
        self._attempts = 0
        self._resync_at = 0.0
        self._retry_at = 0.0
        self._unsettled = True

    def tick(self) -> float | None:
        """One pass; returns the seconds until the next is due, None when there is no more."""
        desired = self._read()
        if desired is None:
            self.close()
            return None
        if self._paths is None:
            self._open(desired)
        with self._host.store.read() as tx:
            state = status.read_cluster_state(tx, self._id)
        state = state or ClusterState(self._id, Phase.CREATING, "", self._host.now())
        try:
            if desired.cluster.deleted_at is not None:
                return self._tear_down(desired, state)
            pending = self._converge(desired, state)
        except (EngineError, OSError) as error:
            return self._fail(state, error)
        self._attempts = 0
        return BUSY if pending else RESTING

    def close(self) -> None:
        """Let go of connections; the servers go on."""
        if self._pooler is not None:
            self._pooler.close()
        if self._backends is not None:
            self._backends.close()

    def _read(self) -> Desired | None:
        """What is wanted; read as a whole only when its generation moved."""
        with self._host.store.read() as tx:
            generation = clusters.read_generation(tx, self._id)
            if generation is None:
                self._desired = None
            elif self._desired is None or self._desired.cluster.generation != generation:
                self._desired = clusters.read_desired(tx, self._id)
        return self._desired

    def _open(self, desired: Desired) -> None:
        cluster = desired.cluster
        self._paths = ClusterPaths.of(self._host.state_dir, cluster.id, cluster.ports)
        self._backends = Backends(self._paths)
        self._pooler = Pooler(self._host, self._paths, self._backends)

    def _converge(self, desired: Desired, state: ClusterState) -> bool:
        """Make it so if anything moved, else just look; True while something is under way."""
        assert self._paths and self._pooler
        now = time.monotonic()
        servers_up = postgres.is_running(self._paths) and self._pooler.is_running()
        current = state.applied_generation == desired.cluster.generation
        if servers_up and current and not self._unsettled and now < self._resync_at:
            loads = self._pooler.observe_loads(desired)
            self._host.observations.put_loads(self._id, loads)
            return False
        self._resync_at = now + _RESYNC_EVERY
        self._unsettled = True
        self._unsettled = self._apply(desired, state)
        return self._unsettled

    def _apply(self, desired: Desired, state: ClusterState) -> bool:
        assert self._paths and self._backends and self._pooler
        started = postgres.ensure_postgres(
            self._host, desired, self._paths, self._backends, lambda step: self._step(state, step)
        )
        known = self._read_failures()
        retried = self._retried(known)
        applied = state.applied_generation
        catalog = apply_catalog(self._backends, desired, applied, retried)
        changed = [
            pool
            for pool in desired.pools
            if pool.deleted_at is None
            and (pool.generation > applied or f"pool:{pool.name}" in known)
        ]
        refused = self._backends.refuse_pools(desired, changed)
        self._step(state, "starting PgBouncer", only_if=not self._pooler.is_running())
        outcome = self._pooler.apply(desired, refused, self._host.now())
        shrinking = self._pooler.shrink(desired, outcome.served)
        failures = _merge_failures(desired, known, retried, catalog, outcome)
        self._write_status(desired, state, outcome, failures)
        self._observe_processes(desired)
        if started and state.was_online:
            _log.info("server_started", cluster=desired.cluster.name, server="PostgreSQL")
        return bool(shrinking or outcome.plan.draining)

    def _write_status(
        self,
        desired: Desired,
        state: ClusterState,
        outcome: Outcome,
        failures: Mapping[str, Failure],
    ) -> None:
        cluster = desired.cluster
        with self._host.store.write() as tx:
            now = tx.now
            pool_status.write_pool_states(tx, desired, outcome, failures)
            if failures != status.read_failures(tx, self._id):
                status.write_failures(tx, self._id, failures)
            active = replace(
                state,
                phase=Phase.ACTIVE,
                reason="",
                step="",
                since=state.since if state.phase is Phase.ACTIVE else now,
                applied_generation=cluster.generation,
                was_online=True,
            )
            if active != state:
                status.write_cluster_state(tx, active)
            if not state.was_online:
                events.add_event(
                    tx, Event(EventKind.CLUSTER_ONLINE, "reconciler", cluster.name, self._id)
                )
        if state.applied_generation != cluster.generation:
            _log.info("applied", cluster=cluster.name, generation=cluster.generation)
        self._host.changes.publish(self._id)

    def _observe_processes(self, desired: Desired) -> None:
        assert self._paths and self._pooler
        found = (
            postgres.describe(self._host, desired, self._paths),
            self._pooler.describe(desired),
        )
        self._host.observations.put_processes(self._id, tuple(p for p in found if p is not None))
        self._host.observations.put_loads(self._id, self._pooler.observe_loads(desired))

    def _step(self, state: ClusterState, step: str, *, only_if: bool = True) -> None:
        """Show how far creation has come; later on steps are too short to be shown."""
        if state.was_online or not only_if:
            return
        with self._host.store.write() as tx:
            creating = replace(state, phase=Phase.CREATING, step=step, reason=step, since=tx.now)
            status.write_cluster_state(tx, creating)
        self._host.changes.publish(self._id)

    def _fail(self, state: ClusterState, error: Exception) -> float:
        """Write the reason down and come back later, and later still the more often it fails."""
        assert self._pooler and self._backends
        self._attempts += 1
        self._unsettled = True
        self._pooler.close()
        self._backends.close()
        phase = Phase.PARKED if self._attempts > 3 else Phase.WAITING
        reason = str(error)
        if (state.phase, state.reason) != (phase, reason):
            _log.warning("pass_failed", cluster_id=str(self._id), reason=reason)
            with self._host.store.write() as tx:
                since = state.since if state.phase is phase else tx.now
                # The row is read again: a step may have been written during this pass.
                latest = status.read_cluster_state(tx, self._id) or state
                status.write_cluster_state(
                    tx, replace(latest, phase=phase, reason=reason, since=since)
                )
        self._host.changes.publish(self._id)
        pause: float = min(0.25 * 2**self._attempts, _LONGEST_BACKOFF)
        return pause * random.uniform(0.8, 1.2)

    def _tear_down(self, desired: Desired, state: ClusterState) -> float | None:
        assert self._paths
        if state.phase is not Phase.DELETED:
            self.close()
            teardown.stop_servers(self._paths)
            remove_tree(self._paths.run)
            with self._host.store.write() as tx:
                stopped = replace(
                    state,
                    phase=Phase.DELETED,
                    reason=f"its data is kept in {self._paths.data}",
                    since=tx.now,
                    step="",
                    applied_generation=desired.cluster.generation,
                )
                status.write_cluster_state(tx, stopped)
            self._host.observations.forget(self._id)
            self._host.changes.publish(self._id)
            _log.info("cluster_stopped", cluster=desired.cluster.name)
        if teardown.is_data_due(self._host, desired, self._host.now()):
            teardown.remove_data(self._host, desired, self._paths)
            _log.info("cluster_removed", cluster=desired.cluster.name)
            return None
        return LONG

    def _read_failures(self) -> Mapping[str, Failure]:
        with self._host.store.read() as tx:
            return status.read_failures(tx, self._id)

    def _retried(self, known: Mapping[str, Failure]) -> frozenset[str]:
        if not known or time.monotonic() < self._retry_at:
            return frozenset()
        self._retry_at = time.monotonic() + _RETRY_FAILURES_EVERY
        return frozenset(known)


def _merge_failures(
    desired: Desired,
    known: Mapping[str, Failure],
    retried: frozenset[str],
    catalog: Mapping[str, str],
    outcome: Outcome,
) -> dict[str, Failure]:
    """What is not in force after this pass, with why.

    A failure of the catalog stands until it is retried or withdrawn; those of pools are
    looked at in every pass.
    """
    generation = desired.cluster.generation
    alive = {f"user:{user.name}" for user in desired.users}
    alive |= {f"database:{database.name}" for database in desired.databases}
    merged = {
        subject: failure
        for subject, failure in known.items()
        if subject in alive and subject not in retried
    }
    merged |= {subject: Failure(generation, reason) for subject, reason in catalog.items()}
    merged |= {
        f"pool:{name}": Failure(generation, reason) for name, reason in outcome.failures.items()
    }
    return merged
