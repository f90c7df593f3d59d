"""Noticing that something was changed, by anybody, at the least cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from poolkeeper.store.marks import read_cluster_marks, read_last_event
from poolkeeper.usecases.context import Context


@dataclass(frozen=True)
class Marks:
    """What differs after a change: one mark for each live cluster, one for the audit trail."""

    clusters: Mapping[UUID, int]
    last_event: tuple[int, int | None]

    def compare(self, before: Marks) -> set[UUID]:
        """The clusters that have changed since, come or gone."""
        either = self.clusters.keys() | before.clusters.keys()
        return {each for each in either if self.clusters.get(each) != before.clusters.get(each)}


def read_marks(context: Context) -> Marks:
    """The marks as they are now."""
    with context.store.read() as tx:
        return Marks(read_cluster_marks(tx), read_last_event(tx))
