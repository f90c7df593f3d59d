"""What a process uses, as the kernel counts it in ``/proc``."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """In kB of 1024 bytes. ``rss`` counts shared pages whole, ``pss`` by the sharer."""

    rss: int
    pss: int


def read_memory(pid: int) -> Memory:
    """Memory of one process, its threads included. Raises OSError."""
    values = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0])
    return Memory(values["Rss"], values["Pss"])


def read_cpu_seconds(pid: int) -> float:
    """Processor time of one process since it began, all its threads together. Raises OSError."""
    # proc_pid_stat(5): the second field, the name, may itself hold spaces and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def count_sockets(pid: int) -> int:
    """How many sockets a process holds. Raises OSError."""
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += stat.S_ISSOCK(descriptor.stat().st_mode)
        except FileNotFoundError:
            continue
    return count
