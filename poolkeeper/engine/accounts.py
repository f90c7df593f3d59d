"""The unprivileged account that PostgreSQL and PgBouncer run as."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass

from poolkeeper.domain.errors import EngineError


@dataclass(frozen=True)
class Account:
    """A system account other than root."""

    name: str
    uid: int
    gid: int

    @property
    def groups(self) -> list[int]:
        """Its supplementary groups, without its own."""
        return [
            group.gr_gid
            for group in grp.getgrall()
            if self.name in group.gr_mem and group.gr_gid != self.gid
        ]


def find_account(name: str | None) -> Account | None:
    """The account of that name; None if we are not root: then everything runs as ourselves.

    Raises EngineError if root gave no name, a name that is not there, or root's own: both
    servers refuse to run as root.
    """
    if os.geteuid() != 0:
        return None
    if name is None:
        raise EngineError(
            "account: PostgreSQL and PgBouncer cannot run as root; name an account for them"
        )
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise EngineError(
            f"account: there is no system account {name!r}; run scripts/setup, or make one with"
            f" `useradd --system {name}`"
        ) from None
    if entry.pw_uid == 0:
        raise EngineError(f"account: {name!r} is root; PostgreSQL and PgBouncer refuse to run so")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
