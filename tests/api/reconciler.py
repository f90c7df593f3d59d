"""A stand-in for the reconciler: it says that things are done, and does nothing."""

from __future__ import annotations

import queue
import threading
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.status import ClusterState, Failure, Phase, PoolState
from poolkeeper.store import clusters, status
from poolkeeper.store.changes import Changes
from poolkeeper.store.database import Store, Transaction


class StandIn:
    """Marks what is wanted as applied, in a thread of its own, when it is announced.

    ``refusals``: subjects (``pool:web``) that it says cannot be, and why. While ``silent``,
    it does not say anything. While ``busy``, it puts all in force but restarts nothing.
    """

    def __init__(self, store: Store, changes: Changes) -> None:
        self.refusals: dict[str, str] = {}
        self.silent = False
        self.busy = False
        self._store = store
        self._changes = changes
        self._due: queue.SimpleQueue[UUID | threading.Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        changes.subscribe(self._due.put)
        self._thread.start()

    def stop(self) -> None:
        self._due.put(None)
        self._thread.join()

    def apply(self, cluster_id: UUID) -> None:
        """Say now what there is to say of a cluster."""
        with self._store.write() as tx:
            desired = clusters.read_desired(tx, cluster_id)
            if desired is None:
                return
            if desired.cluster.deleted_at is not None:
                clusters.remove_cluster(tx, cluster_id)
            else:
                self._write(tx, desired)
        self._changes.publish(cluster_id)

    def settle(self) -> None:
        """Return once it has nothing left to say of what was announced before."""
        reached = threading.Event()
        self._due.put(reached)
        assert reached.wait(60)

    def _run(self) -> None:
        while (due := self._due.get()) is not None:
            if isinstance(due, threading.Event):
                due.set()
            elif not self.silent:
                self.apply(due)

    def _write(self, tx: Transaction, desired: Desired) -> None:
        now, generation = datetime.now(UTC), desired.cluster.generation
        failures = {
            subject: Failure(generation, self.refusals[subject])
            for subject in _list_subjects(desired) & self.refusals.keys()
        }
        status.write_failures(tx, desired.cluster.id, failures)
        for pool in desired.pools:
            gone = pool.deleted_at is not None
            phase, held = (Phase.DELETED, 0) if gone else (Phase.ACTIVE, pool.shape.size)
            status.write_pool_state(tx, PoolState(pool.id, phase, "", now, pool.generation, held))
        state = ClusterState(
            desired.cluster.id,
            Phase.FAILED if failures else Phase.ACTIVE,
            "; ".join(failure.reason for failure in failures.values()),
            now,
            applied_generation=generation - 1 if failures else generation,
            was_online=True,
        )
        before = status.read_cluster_state(tx, desired.cluster.id)
        if self.busy and before is not None:
            state = replace(
                state,
                pending=("restart PostgreSQL to apply max_connections",),
                restarted_generation=before.restarted_generation,
                max_connections=before.max_connections,
            )
        else:
            state = replace(
                state,
                restarted_generation=desired.cluster.restart_generation,
                max_connections=desired.cluster.size.max_connections,
            )
        status.write_cluster_state(tx, state)


def _list_subjects(desired: Desired) -> set[str]:
    live_pools = [pool for pool in desired.pools if pool.deleted_at is None]
    return {
        "config",
        *(f"pool:{pool.name}" for pool in live_pools),
        *(f"user:{user.name}" for user in desired.users if not user.deleted),
        *(f"database:{item.name}" for item in desired.databases if not item.deleted),
    }
