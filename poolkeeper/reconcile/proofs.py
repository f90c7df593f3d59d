"""Which pools a login has shown to work; asked only when who logs in where changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from poolkeeper.domain.clusters import DEFAULT_USER, Desired
from poolkeeper.domain.entries import Entry
from poolkeeper.domain.errors import Refused, Unavailable
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.probe import probe_login

# A login takes milliseconds, but a busy machine may have no time for it for some seconds.
_PATIENCE = 10
_SHORT_PATIENCE = 2


class Proofs:
    """Kept in memory only: after a restart a pool is shown to work at its next change."""

    def __init__(self, paths: ClusterPaths) -> None:
        self._paths = paths
        self._proven: dict[str, tuple[str, str | None]] = {}

    def demand(
        self, desired: Desired, entries: Iterable[Entry], existing: Collection[str]
    ) -> dict[str, str]:
        """Log in to each pool that needs it; returns the reason for those that fail, by name.

        ``existing`` pools were served before. One may be so busy that a login has to wait its
        turn, which is no failure.
        """
        # One that was gone meanwhile is another; and names would pile up.
        self._proven = {name: who for name, who in self._proven.items() if name in existing}
        failures: dict[str, str] = {}
        for entry in entries:
            if self._proven.get(entry.name) == (entry.db, entry.user):
                continue
            reason = self._try(desired, entry, may_wait=entry.name in existing)
            if reason:
                failures[entry.name] = reason
            else:
                self._proven[entry.name] = (entry.db, entry.user)
        return failures

    def _try(self, desired: Desired, entry: Entry, *, may_wait: bool) -> str:
        name = entry.user or DEFAULT_USER
        user = next(user for user in desired.users if user.name == name and not user.deleted)
        port, patience = desired.cluster.ports.pool, _SHORT_PATIENCE if may_wait else _PATIENCE
        try:
            probe_login(self._paths, port, entry.name, user, timeout=patience)
        except Refused as error:
            return str(error)
        except Unavailable as error:
            return "" if may_wait else str(error)
        return ""
