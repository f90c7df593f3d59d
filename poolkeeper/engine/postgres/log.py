"""PostgreSQL's log: why it would not start, and how much of it is kept."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from poolkeeper.engine.files import read_tail
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres.render import LOG_FILE_PREFIX

# What a starting server says before it has read its configuration and opened its log.
START_LOG = "postgres-start.log"

KEPT_BYTES = 100 * 2**20

_MESSAGE = re.compile(r"\b(?P<level>LOG|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT): +(?P<text>.+)")


def read_log_tail(paths: ClusterPaths, lines: int = 20) -> str:
    """The last lines that the server wrote, "" if none; without statements, so no secrets."""
    written = [*_list_logs(paths)[:1], paths.log / START_LOG]
    # A start that failed early left its words in the start log, which is then the newer one.
    newest = max((path for path in written if path.exists()), key=_last_change, default=None)
    return "\n".join(read_tail(newest, lines)) if newest else ""


def explain_failure(lines: Sequence[str]) -> str:
    """The one line of a log's tail that says why the server ended."""
    messages = [(match["level"], match["text"]) for match in map(_MESSAGE.search, lines) if match]
    for _, text in messages:
        # What follows it, "could not create any TCP/IP sockets", only says that it failed.
        if text.startswith("could not bind"):
            return text
    for index in range(len(messages) - 1, -1, -1):
        level, text = messages[index]
        # What clients were told meanwhile ("the database system is starting up") is no reason.
        if level in ("FATAL", "PANIC") and not text.startswith("the database system is "):
            more = [each for kind, each in messages[index + 1 :] if kind in ("DETAIL", "HINT")]
            return " ".join([text, *more[:1]])
    return lines[-1].strip() if lines else "it wrote nothing to its log"


def prune_logs(paths: ClusterPaths, kept_bytes: int = KEPT_BYTES) -> list[Path]:
    """Remove the oldest log files beyond so many bytes in all; returns those removed.

    PostgreSQL begins a new file daily and every 10 MB, and removes none.
    """
    removed = []
    total = 0
    for path in _list_logs(paths):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
            if total > kept_bytes and total > path.lstat().st_size:
                path.unlink()
                removed.append(path)
    return removed


def _list_logs(paths: ClusterPaths) -> list[Path]:
    """Newest first: the time is in the name."""
    return sorted(paths.log.glob(f"{LOG_FILE_PREFIX}*.log"), reverse=True)


def _last_change(path: Path) -> int:
    return path.lstat().st_mtime_ns
