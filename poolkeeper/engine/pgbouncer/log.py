"""PgBouncer's log: what of it tells why, and how much of it is kept."""

from __future__ import annotations

from pathlib import Path

from poolkeeper.engine.files import read_tail
from poolkeeper.engine.layout import ClusterPaths

MAX_BYTES = 10 * 2**20
KEPT_FILES = 5

_TELLING = ("FATAL", "ERROR", "WARNING", "rror while loading")


def log_file(paths: ClusterPaths, index: int = 1) -> Path:
    """Where one process writes."""
    return paths.log / f"pooler-{index}.log"


def read_pooler_log(paths: ClusterPaths, lines: int = 5, index: int = 1) -> str:
    """The last lines that tell of trouble, to be a reason."""
    found = read_tail(log_file(paths, index), 50)
    telling = [line for line in found if any(mark in line for mark in _TELLING)]
    return " · ".join((telling or found)[-lines:])


def rotate_pooler_log(paths: ClusterPaths, index: int = 1, max_bytes: int = MAX_BYTES) -> bool:
    """Put a log that has grown too long aside, as ``.1``; the oldest of those goes.

    True if it was: PgBouncer writes on into the old file until its next RELOAD.
    """
    current = log_file(paths, index)
    try:
        if current.lstat().st_size < max_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(KEPT_FILES - 1, 0, -1):
        older = current.with_name(f"{current.name}.{number}")
        if older.exists():
            older.rename(current.with_name(f"{current.name}.{number + 1}"))
    current.rename(current.with_name(f"{current.name}.1"))
    return True
