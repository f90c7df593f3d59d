"""Users and databases inside PostgreSQL: what changed since the last pass is carried out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import psycopg

from poolkeeper.domain.clusters import DEFAULT_DATABASE, Desired
from poolkeeper.domain.databases import Database
from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.users import User
from poolkeeper.engine.postgres import databases, roles
from poolkeeper.reconcile.backends import Backends


def apply_catalog(
    backends: Backends,
    desired: Desired,
    applied: int,
    retried: Collection[str],
    step: Callable[[], None],
) -> dict[str, str]:
    """Create, change and drop what was said after generation ``applied``, and what is retried.

    Users come before databases. ``step`` is called after each. Returns what failed and why, by
    subject (``user:app``). Raises EngineError if PostgreSQL cannot be reached.
    """
    failures: dict[str, str] = {}

    def attempt(subject: str, generation: int, action: Callable[[], None]) -> None:
        if generation <= applied and subject not in retried:
            return
        try:
            action()
        except psycopg.OperationalError as error:
            raise EngineError(f"PostgreSQL: {_first_line(error)}") from error
        except psycopg.Error as error:
            failures[subject] = _first_line(error)
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


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
