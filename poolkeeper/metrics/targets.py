"""Which clusters are sampled, and how they are reached: those that have come online."""

from __future__ import annotations

import time
from uuid import UUID

import structlog

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.store import clusters, status
from poolkeeper.store.changes import Changes
from poolkeeper.store.database import Store, Transaction

_LOOK_EVERY = 5.0

_log = structlog.get_logger("poolkeeper.metrics")


class Targets:
    """Reads the store only when something may have changed in it."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store = store
        self._changes = changes
        self._count = -1
        self._look_at = 0.0
        self._known: dict[UUID, Desired] = {}

    def list(self) -> list[Desired]:
        """The clusters, as they are wanted; as last known while the store cannot be read."""
        count, now = self._changes.count(), time.monotonic()
        if count != self._count or now >= self._look_at:
            try:
                with self._store.read() as tx:
                    self._known = self._read(tx)
            except PoolkeeperError as error:
                _log.warning("targets_unread", reason=str(error))
            # From now: a store that is away may have taken as long to say so.
            self._count, self._look_at = count, time.monotonic() + _LOOK_EVERY
        return list(self._known.values())

    def _read(self, tx: Transaction) -> dict[UUID, Desired]:
        found = {}
        ids = clusters.list_cluster_ids(tx)
        for cluster_id, state in status.list_cluster_states(tx, ids).items():
            if not state.was_online:
                continue
            desired = self._known.get(cluster_id)
            if (
                desired is None
                or clusters.read_generation(tx, cluster_id) != desired.cluster.generation
            ):
                desired = clusters.read_desired(tx, cluster_id)
            if desired is not None and desired.cluster.deleted_at is None:
                found[cluster_id] = desired
        return found
