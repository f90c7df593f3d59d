"""The PostgreSQL servers that are installed on this host."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

# Where the packages of Debian, Ubuntu and PGDG put each major, and where `make install` does.
DEFAULT_PREFIXES = (Path("/usr/lib/postgresql"), Path("/usr/local/pgsql"))

OLDEST_MAJOR = 13

_NEEDED = ("initdb", "postgres")
_VERSION = re.compile(r"\(PostgreSQL\) (?P<full>(?P<major>\d+)(?:\.\d+|[a-z]+\d*))")


@dataclass(frozen=True)
class Installation:
    """One installed major: ``bin`` holds its programs, ``full_version`` is like 15.14."""

    major: str
    bin: Path
    full_version: str


def find_majors(prefixes: Sequence[Path] = DEFAULT_PREFIXES) -> list[Installation]:
    """Every installed major from 13 on, newest first.

    A prefix holds ``bin``, or a folder for each major that does. Where a major is found
    twice, the earlier prefix counts. What cannot be run is passed over.
    """
    found: dict[int, Installation] = {}
    for prefix in prefixes:
        for folder in (prefix / "bin", *sorted(prefix.glob("*/bin"))):
            installation = _inspect(folder)
            if installation is not None and int(installation.major) >= OLDEST_MAJOR:
                found.setdefault(int(installation.major), installation)
    return [found[major] for major in sorted(found, reverse=True)]


def _inspect(folder: Path) -> Installation | None:
    try:
        changed = max((folder / name).stat().st_mtime_ns for name in _NEEDED)
    except OSError:
        return None
    return _ask_version(folder, changed)


@lru_cache(maxsize=64)
def _ask_version(folder: Path, changed: int) -> Installation | None:
    """``changed`` makes a package upgrade be asked anew."""
    try:
        answer = subprocess.run(
            [str(folder / "postgres"), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            text=True,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer.stdout)
    if match is None:
        return None
    return Installation(match["major"], folder, match["full"])
