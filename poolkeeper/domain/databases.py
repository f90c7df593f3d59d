"""Databases of a cluster, and when one may go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from poolkeeper.domain.errors import InvalidRequest, StillInUse
from poolkeeper.domain.pools import Pool


@dataclass(frozen=True)
class Database:
    """A database that is wanted, or, when ``deleted``, one that is to be dropped.

    ``generation``: the cluster's generation at which this was said. A drop is an order
    for that generation only, so that it can never hit a later database of the same name.
    """

    name: str
    generation: int
    deleted: bool = False


def check_database_unused(name: str, protected: str, pools: Iterable[Pool]) -> None:
    """Raises InvalidRequest unless the database may be dropped."""
    if name == protected:
        raise InvalidRequest(f"database {name!r} belongs to every cluster and cannot be deleted")
    users = sorted(pool.name for pool in pools if pool.shape.db == name)
    if users:
        raise StillInUse("database", name, users)
