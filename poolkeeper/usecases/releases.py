"""Which release of PostgreSQL each cluster runs, such as 15.14."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.status import POSTGRES
from poolkeeper.usecases.context import Context


class Releases:
    """The releases of many clusters; what is installed is looked up once, and only if needed."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def find(self, cluster: Cluster) -> str:
        """What the cluster runs; until that was seen, what its next server would be."""
        for process in self._context.observations.processes(cluster.id):
            if process.kind == POSTGRES:
                return process.version
        return self._installed.get(cluster.version, cluster.version)

    @cached_property
    def _installed(self) -> Mapping[str, str]:
        return self._context.releases()
