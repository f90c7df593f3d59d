"""Errors of the storage itself, said so that the caller knows: nothing was applied."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from poolkeeper.domain.errors import Unavailable

_SQLITE_ADVICE = {
    sqlite3.SQLITE_BUSY: "another process holds it; try again",
    sqlite3.SQLITE_LOCKED: "another process holds it; try again",
    sqlite3.SQLITE_FULL: "free some disk space, then try again",
    sqlite3.SQLITE_IOERR: "look at the disk and the kernel's log, then try again",
    sqlite3.SQLITE_READONLY: "make the file and its directory writable, then try again",
    sqlite3.SQLITE_CANTOPEN: "make the file and its directory writable, then try again",
    sqlite3.SQLITE_CORRUPT: "restore it from a backup",
    sqlite3.SQLITE_NOTADB: "it is not a store: restore it from a backup",
}

_POSTGRES_ADVICE = {
    "55P03": "another process holds it; try again",
    "53100": "free some disk space on its host, then try again",
    "25006": "it takes no writes: point the store's URL at the primary server",
    "42501": "let its account CREATE in the database's schema, best as the owner of both",
}


@contextmanager
def report_faults(place: str) -> Iterator[None]:
    """Raise Unavailable instead of what the driver says, if it is the storage that failed.

    Mistakes in a statement or in its values stay what they are.
    """
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable(_describe(place, "it is busy", "try again")) from error
    except DBAPIError as error:
        advice = _advise(error)
        if advice is None:
            raise
        raise Unavailable(_describe(place, str(error.orig), advice)) from error


@contextmanager
def report_commit(place: str) -> Iterator[None]:
    """Raise Unavailable if the connection broke while the answer to COMMIT was awaited."""
    try:
        yield
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable(
            f"the connection to the store {place} broke during the commit: the change may be"
            f" in force or not; look before you try again ({_shorten(str(error.orig))})"
        ) from error


def describe_file_fault(place: str, error: OSError) -> Unavailable:
    """What to raise when the store's file cannot be made."""
    reason = error.strerror or str(error)
    return Unavailable(_describe(place, reason, "make its directory writable, then try again"))


def _advise(error: DBAPIError) -> str | None:
    """What to do about it; None if it is not the storage's fault."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE_ADVICE.get(code & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state in _POSTGRES_ADVICE:
        return _POSTGRES_ADVICE[state]
    # Subclasses of DatabaseError that are not listed tell of a mistake of ours.
    if type(error) in (OperationalError, InternalError, InterfaceError, DatabaseError):
        return "make the server answer, then try again"
    return None


def _describe(place: str, reason: str, advice: str) -> str:
    return f"the store {place} is unavailable, nothing was applied: {_shorten(reason)}; {advice}"


def _shorten(reason: str) -> str:
    return " ".join(reason.split())[:300].rstrip(".; ")
