"""Users and databases inside PostgreSQL: what changed since the last pass is carried out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import psycopg

from poolkeeper.domain.clusters import DEFAULT_DATABASE, Desired
from poolkeeper.domain.databases import Database
from poolkeeper.domain.errors import EngineError, ProcessFailed
from poolkeeper.domain.users import User
from poolkeeper.engine.postgres import databases, roles
from poolkeeper.reconcile.backends import Backends

_QUERY_CANCELED = "57014"
_LOCK_NOT_AVAILABLE = "55P03"


def apply_catalog(
    backends: Backends,
    desired: Desired,
    applied: int,
    retried: Collection[str],
    step: Callable[[], None],
) -> dict[str, str]:
    """Create, change and drop what was said after generation ``applied``, and what is retried.

    Users come before databases. ``step`` is called after each. Returns what failed and why, by
    subject (``user:app``): nothing else waits for it. Raises EngineError if PostgreSQL cannot
    be reached, or is not well.
    """
    failures: dict[str, str] = {}

    def attempt(subject: str, generation: int, action: Callable[[], None]) -> None:
        if generation <= applied and subject not in retried:
            return
        try:
            action()
        except psycopg.Error as error:
            if not _is_of_one(error):
                raise EngineError(f"PostgreSQL: {_explain(error)}") from error
            failures[subject] = _explain(error)
        except ProcessFailed as error:
            failures[subject] = str(error)
        step()

    for user in sorted(desired.users, key=lambda user: user.generation):
        action = partial(_apply_user, backends, desired, user)
        attempt(f"user:{user.name}", user.generation, action)
    for database in sorted(desired.databases, key=lambda database: database.generation):
        action = partial(_apply_database, backends, desired, database)
        attempt(f"database:{database.name}", database.generation, action)
    return failures


def _apply_user(backends: Backends, desired: Desired, user: User) -> None:
    if user.deleted:
        roles.drop_user(lambda database: backends.connect_to(desired, database), user.name)
    else:
        roles.apply_roles(backends.connect(desired), [user])


def _apply_database(backends: Backends, desired: Desired, database: Database) -> None:
    connection = backends.connect(desired)
    if database.deleted:
        databases.drop_database(connection, database.name)
        return
    databases.ensure_database(connection, database.name)
    if database.name == DEFAULT_DATABASE:
        with backends.connect_to(desired, database.name) as own:
            databases.ensure_statistics(own)


def _is_of_one(error: psycopg.Error) -> bool:
    """Whether PostgreSQL is well, and it is just this that it does not do."""
    if error.sqlstate is None:
        return False
    # Among psycopg's operational errors are locks that others hold, and what is still in use.
    is_held_up = error.sqlstate[:2] in ("40", "55") or error.sqlstate == _QUERY_CANCELED
    return is_held_up or not isinstance(error, psycopg.OperationalError)


def _explain(error: psycopg.Error) -> str:
    """Its message; the detail says what it is that stands against it."""
    told = [error.diag.message_primary or str(error), error.diag.message_detail or ""]
    lines = [text.strip().splitlines()[0] for text in told if text.strip()]
    if error.sqlstate == _LOCK_NOT_AVAILABLE:
        lines.append("end the transaction that holds the lock, then try again")
    return "; ".join(lines) or type(error).__name__
