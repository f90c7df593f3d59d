"""Which pools a login has shown to work; asked again only when who logs in where changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from poolkeeper.domain.clusters import DEFAULT_USER, Desired
from poolkeeper.domain.entries import Entry
from poolkeeper.domain.errors import Refused, Unavailable
from poolkeeper.engine.pgbouncer.probe import Target, probe_login
from poolkeeper.reconcile.host import Host


class Proofs:
    """Kept in memory only: after a restart each pool is shown to work once more."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._proven: dict[str, tuple[str, str | None]] = {}

    def demand(
        self, desired: Desired, entries: Iterable[Entry], unserved: Collection[str]
    ) -> dict[str, str]:
        """Log in to each pool that needs it; returns the reason for those that fail, by name."""
        entries = [entry for entry in entries if entry.accepts_logins]
        names = {entry.name for entry in entries}
        self._proven = {name: proof for name, proof in self._proven.items() if name in names}
        failures: dict[str, str] = {}
        for entry in entries:
            if entry.name in unserved or self._proven.get(entry.name) == (entry.db, entry.user):
                continue
            reason = self._try(desired, entry)
            if reason:
                failures[entry.name] = reason
            else:
                self._proven[entry.name] = (entry.db, entry.user)
        return failures

    def _try(self, desired: Desired, entry: Entry) -> str:
        try:
            probe_login(self._target(desired, entry))
        except Refused as error:
            return str(error)
        except Unavailable as error:
            # A pool that worked before may be so busy that a login has to wait its turn.
            return "" if entry.name in self._proven else str(error)
        return ""

    def _target(self, desired: Desired, entry: Entry) -> Target:
        name = entry.user or DEFAULT_USER
        user = next(user for user in desired.users if user.name == name and not user.deleted)
        return Target(
            self._host.probe_address,
            desired.cluster.ports.pool,
            entry.name,
            user.name,
            user.password,
            str(self._host.state_dir / "ca" / "ca.crt"),
        )
