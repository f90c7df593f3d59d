"""Processor time and memory of this machine and of process trees, from ``/proc``.

proc(5): times are in clock ticks, summed up since the start. What is gone while it is looked
at counts no more; OSError is raised where the root of a tree is gone.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from poolkeeper.engine.host import measure_memory

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class TreeUsage:
    """``cpu_seconds``: of the process, of its living children and of those that ended."""

    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class HostUsage:
    """``busy_ticks`` of ``total_ticks``: of all processors together, since boot."""

    busy_ticks: int
    total_ticks: int
    memory_used: int
    memory_total: int
    load: float
    disk_used: int
    disk_total: int


def read_tree(pid: int) -> TreeUsage:
    """A server and its children (PostgreSQL's have none of their own). Raises OSError.

    Memory: what each has for itself, and once what they share, by the one that has touched
    most of it.
    """
    ticks, ended = _read_ticks(pid)
    ticks += ended
    own, shared = _read_memory(pid)
    for child in _list_children(pid):
        with contextlib.suppress(OSError):
            ticks += _read_ticks(child)[0]
            child_own, child_shared = _read_memory(child)
            own += child_own
            shared = max(shared, child_shared)
    return TreeUsage(ticks / _TICKS, own + shared)


def read_host(folder: Path) -> HostUsage:
    """This machine, and the file system of a folder. Raises OSError."""
    fields = [int(each) for each in _read(_PROC / "stat").partition("\n")[0].split()[1:9]]
    idle = fields[3] + fields[4]
    memory, disk = measure_memory(), os.statvfs(folder)
    return HostUsage(
        busy_ticks=sum(fields) - idle,
        total_ticks=sum(fields),
        memory_used=memory.used,
        memory_total=memory.total,
        load=os.getloadavg()[0],
        disk_used=(disk.f_blocks - disk.f_bfree) * disk.f_frsize,
        # As df(1) counts: what is kept for root is no room for PostgreSQL.
        disk_total=(disk.f_blocks - disk.f_bfree + disk.f_bavail) * disk.f_frsize,
    )


def _list_children(pid: int) -> list[int]:
    return [int(each) for each in _read(_PROC / f"{pid}/task/{pid}/children").split()]


def _read_ticks(pid: int) -> tuple[int, int]:
    """User and system time of a process, and of its children that it has seen end."""
    # The second field, the name, may itself hold spaces and brackets.
    fields = _read(_PROC / f"{pid}/stat").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


def _read_memory(pid: int) -> tuple[int, int]:
    """Resident bytes: its own, and those that it shares."""
    _, resident, shared = _read(_PROC / f"{pid}/statm").split()[:3]
    return (int(resident) - int(shared)) * _PAGE, int(shared) * _PAGE


def _read(path: Path) -> str:
    """Quicker than the library's ways; ``/proc`` gives a small file at one read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = b""
        while part := os.read(descriptor, 65536):
            content += part
        return content.decode(errors="replace")
    finally:
        os.close(descriptor)
