"""A control plane with the one cluster and pool of a first start, and nobody who asks it for
anything: 60 s of doing its rounds (every cluster is looked at once a second). Memory is read at the
end from `/proc/<pid>/smaps_rollup`, in MB of 1024² bytes; RSS counts shared pages (libraries)
whole, PSS by the number of processes that share them. Processor time is the user and system time
of all its threads, from `/proc/<pid>/stat`.
"""

from __future__ import annotations

import time

from bench.report import Row
from bench.stage import first_start
from bench.usage import read_cpu_seconds, read_memory

TITLE = "The control plane at rest"
LIMIT = 240

_MOST_MB = 120
_MOST_CPU = 0.01


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    settle, seconds = (1, 10) if quick else (10, 60)
    with first_start() as (plane, _):
        assert plane.process is not None
        pid = plane.process.pid
        time.sleep(settle)
        before, started = read_cpu_seconds(pid), time.monotonic()
        time.sleep(seconds)
        share = (read_cpu_seconds(pid) - before) / (time.monotonic() - started)
        memory = read_memory(pid)
    rss = memory.rss / 1024
    return [
        Row("RSS", f"{rss:.0f} MB", f"≤ {_MOST_MB} MB", rss <= _MOST_MB),
        Row("PSS", f"{memory.pss / 1024:.0f} MB"),
        Row(
            f"processor, over {seconds} s",
            f"{share:.2%} of a core",
            f"≤ {_MOST_CPU:.0%} of a core",
            share <= _MOST_CPU,
        ),
    ]
