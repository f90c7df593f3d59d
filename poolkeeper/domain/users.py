"""Users of a cluster: PostgreSQL roles that may log in."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from poolkeeper.domain.errors import InvalidRequest, StillInUse
from poolkeeper.domain.pools import Pool


class Role(enum.StrEnum):
    """DigitalOcean's two kinds: the cluster's own ``doadmin``, and all others."""

    PRIMARY = "primary"
    NORMAL = "normal"


@dataclass(frozen=True)
class User:
    """A user that is wanted, or, when ``deleted``, one that is to be dropped.

    ``generation``: the cluster's generation at which it last changed (see Database).
    ``verifier`` is the SCRAM secret made from the password (domain.scram): PostgreSQL and
    PgBouncer get it, never the password itself.
    """

    name: str
    role: Role
    password: str
    verifier: str
    generation: int
    allow_replication: bool = False
    deleted: bool = False


@dataclass(frozen=True)
class ShownUser:
    """Of a user, what there is to show. ``password`` is empty for who may not see it."""

    name: str
    role: Role
    password: str
    allow_replication: bool = False


def check_user_unused(name: str, protected: str, pools: Iterable[Pool]) -> None:
    """Raises InvalidRequest unless the user may be dropped."""
    if name == protected:
        raise InvalidRequest(f"user {name!r} belongs to every cluster and cannot be deleted")
    users = sorted(pool.name for pool in pools if pool.shape.user == name)
    if users:
        raise StillInUse("user", name, users)
