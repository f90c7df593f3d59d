"""Which processes there are, by what ``/proc`` says now.

A process is known by its pid, its start time and a path among its arguments — never by its name
and never from memory alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

PROC = Path("/proc")
_DEAD_STATES = frozenset("ZXx")
_BETWEEN_LOOKS = 0.001
_MOST_LOOKS = 100


@dataclass(frozen=True)
class ProcessFacts:
    """A process as observed; pid and ``start_ticks`` together mean this one and no other.

    Two facts of one process are equal, however it has grown. ``rss``: resident bytes by the
    kernel's quick count, which for a small process may be 0.
    """

    pid: int
    start_ticks: int
    started_at: datetime = field(compare=False)
    rss: int = field(compare=False)


def find_process(
    pid: int | None, marker: str, *, program: str | None = None
) -> ProcessFacts | None:
    """The living process of that pid, if ``marker`` is one of its arguments, else None.

    An argument ``--name=marker`` counts. ``program``: some argument must also be the path of
    a program of that name, so that an editor which has the marked file open is not taken for
    the server.
    """
    if pid is None or pid <= 0:
        return None
    arguments = _read_arguments(pid)
    if not is_marked(arguments, marker):
        return None
    if program is not None and all(Path(each).name != program for each in arguments):
        return None
    return observe_process(pid)


def search_process(marker: str, *, program: str | None = None) -> ProcessFacts | None:
    """Look through all processes for one that find_process would take; slow, so rarely used."""
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            facts = find_process(int(entry.name), marker, program=program)
            if facts is not None:
                return facts
    return None


def search_folder(folder: Path, title: str) -> list[ProcessFacts]:
    """Processes that work in this folder and whose command line begins with ``title``.

    Without root, or without its right to look at others' processes, only our own are found.
    """
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and _works_in(entry, folder):
            arguments = _read_arguments(int(entry.name))
            facts = observe_process(int(entry.name))
            if facts is not None and arguments and arguments[0].startswith(title):
                found.append(facts)
    return found


def is_deserted(folder: Path) -> bool:
    """Whether surely no process of the folder's owner works in it; False where we cannot tell.

    Raises OSError if the folder cannot be looked at.
    """
    owner = folder.stat().st_uid
    for entry in PROC.iterdir():
        try:
            if not entry.name.isdigit() or entry.stat().st_uid != owner:
                continue
            if (entry / "cwd").readlink().is_relative_to(folder):
                return False
        except PermissionError:
            return False
        except OSError:
            # It ended meanwhile, or is a zombie, which works nowhere.
            continue
    return True


def observe_process(pid: int) -> ProcessFacts | None:
    """The process of that pid, whatever it is; None if there is none, or a dead one."""
    fields = _read_stat(pid)
    if not fields or fields[0] in _DEAD_STATES:
        return None
    ticks = int(fields[19])
    return ProcessFacts(
        pid=pid,
        start_ticks=ticks,
        started_at=datetime.fromtimestamp(_boot_time() + ticks / os.sysconf("SC_CLK_TCK"), UTC),
        rss=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
    )


def is_listed(facts: ProcessFacts) -> bool:
    """Whether the process table still has this very process, if only as a zombie."""
    fields = _read_stat(facts.pid)
    return bool(fields) and int(fields[19]) == facts.start_ticks


def _read_stat(pid: int) -> list[str]:
    """The fields of proc_pid_stat(5) from the third on, the state; empty if there is no such
    process. The second, the name, may itself hold spaces and brackets."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _read_arguments(pid: int) -> list[str]:
    try:
        text = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(each) for each in text.split(b"\0") if each]


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder.resolve()
    except OSError:
        return False


def is_marked(arguments: Sequence[str], marker: str) -> bool:
    """Whether find_process would know a process with these arguments by it."""
    return any(each == marker or each.endswith("=" + marker) for each in arguments)


def _boot_time() -> float:
    # Not ``btime`` of proc_stat(5): it has whole seconds, and who was started in one would seem
    # to have been running before it. So it would if we were stopped between two looks at the clock.
    looks = []
    for _ in range(_MOST_LOOKS):
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        now = time.time()
        after = time.clock_gettime(time.CLOCK_BOOTTIME)
        looks.append((after - before, now - after))
        if after - before < _BETWEEN_LOOKS:
            break
    return min(looks)[1]
