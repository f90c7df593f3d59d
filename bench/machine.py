"""On what, and with what, a figure was taken."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

import poolkeeper
from poolkeeper.engine.pgbouncer.binary import Binary, find_binary
from poolkeeper.engine.postgres.binaries import find_majors

ROOT = Path(__file__).parents[1]


def describe_machine() -> str:
    """Processor, cores that may be used, memory and system."""
    processor = _find(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo")) or platform.machine()
    memory = int(_find(r"MemTotal:\s*(\d+)", Path("/proc/meminfo")) or 0)
    system = _find(r'PRETTY_NAME="?([^"\n]+)', Path("/etc/os-release")) or platform.system()
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} core{'s' * (cores != 1)} of {processor}, {memory / 2**20:.0f} GiB,"
        f" {system}, Linux {platform.release()}"
    )


def describe_versions() -> str:
    """What ran: Poolkeeper with its commit, PgBouncer, PostgreSQL, Python."""
    return (
        f"Poolkeeper {poolkeeper.__version__} ({_describe_commit()}),"
        f" PgBouncer {find_pgbouncer().version_text},"
        f" PostgreSQL {find_majors()[0].full_version}, Python {platform.python_version()}"
    )


def find_pgbouncer() -> Binary:
    """The PgBouncer that a Poolkeeper started from here runs. Raises EngineError."""
    chosen = os.environ.get("POOLKEEPER_PGBOUNCER")
    return find_binary(Path(chosen) if chosen else None, default_state())


def default_state() -> Path:
    """Where this account's Poolkeeper lives, and with it the private PgBouncer."""
    if os.geteuid() == 0:
        return Path("/var/lib/poolkeeper")
    return Path("~/.local/share/poolkeeper").expanduser()


def _describe_commit() -> str:
    def ask(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    commit = ask("rev-parse", "--short", "HEAD")
    if not commit:
        return "no commit"
    changed = ask("status", "--porcelain", "--", "poolkeeper")
    return f"{commit} with changes" if changed else commit


def _find(pattern: str, file: Path) -> str:
    try:
        match = re.search(pattern, file.read_text())
    except OSError:
        return ""
    return match[1].strip() if match else ""
