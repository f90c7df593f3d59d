"""A control plane with the one cluster and pool of a first start, and nobody who asks it for
anything: 60 s of doing its rounds (every cluster is looked at once a second). Memory is read at the
end from `/proc/<pid>/smaps_rollup`, in MB of 1024² bytes; RSS counts shared pages (libraries)
whole, PSS by the number of processes that share them. Processor time is the user and system time
of all its threads, from `/proc/<pid>/stat`. For comparison, the same of a Python program that does
nothing but wake ten times a second, meanwhile: on some virtual machines it is waking that costs.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.report import Row
from bench.stage import first_start
from bench.usage import read_cpu_seconds, read_memory

TITLE = "The control plane at rest"
LIMIT = 240

_MOST_MB = 120
_MOST_CPU = 0.01

_WAKES = """
import asyncio

async def wake():
    while True:
        await asyncio.sleep(0.1)

asyncio.run(wake())
"""


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    settle, seconds = (1, 10) if quick else (10, 60)
    with first_start() as (plane, _), _waking() as waking:
        assert plane.process is not None
        pids = (plane.process.pid, waking)
        time.sleep(settle)
        before, started = [read_cpu_seconds(pid) for pid in pids], time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - started
        share, least = (
            (read_cpu_seconds(pid) - then) / passed for pid, then in zip(pids, before, strict=True)
        )
        memory = read_memory(pids[0])
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
        Row("for comparison: ten wakings a second", f"{least:.2%} of a core"),
    ]


@contextlib.contextmanager
def _waking() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", _WAKES]) as process:
        try:
            yield process.pid
        finally:
            process.kill()
