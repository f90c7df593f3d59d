"""A control plane with the one cluster and pool of a first start, and nobody who asks it for
anything: 60 s of doing its rounds (every cluster is looked at once a second). Memory is read at the
end from `/proc/<pid>/smaps_rollup`, in MB of 1024² bytes; RSS counts shared pages (libraries)
whole, PSS by the number of processes that share them. Processor time is the user and system time
of all its threads, from `/proc/<pid>/stat`. For comparison, the same of a Python program that does
nothing but wake ten times a second, meanwhile. Both again while each processor is kept from halting
by an idle-priority loop: on some virtual machines the time that the host takes to wake a halted
processor is counted as the program's own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

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


_SPINS = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while True:
    pass
"""


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    settle, seconds = (1, 10) if quick else (10, 60)
    with first_start() as (plane, _), _running(_WAKES) as waking:
        assert plane.process is not None
        pids = (plane.process.pid, waking)
        time.sleep(settle)
        share, least = _measure(pids, seconds)
        with _kept_awake():
            share_awake, least_awake = _measure(pids, seconds)
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
        Row("… while no processor halts", f"{share_awake:.2%} of a core"),
        Row("for comparison: ten wakings a second", f"{least:.2%} of a core"),
        Row("… while no processor halts", f"{least_awake:.2%} of a core"),
    ]


def _measure(pids: Sequence[int], seconds: int) -> list[float]:
    """The share of a core that each process takes meanwhile."""
    before, started = [read_cpu_seconds(pid) for pid in pids], time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - started
    return [(read_cpu_seconds(pid) - then) / passed for pid, then in zip(pids, before, strict=True)]


@contextlib.contextmanager
def _kept_awake() -> Iterator[None]:
    with contextlib.ExitStack() as loops:
        for processor in os.sched_getaffinity(0):
            pid = loops.enter_context(_running(_SPINS))
            os.sched_setaffinity(pid, {processor})
        yield


@contextlib.contextmanager
def _running(program: str) -> Iterator[int]:
    """A Python program in a session of its own, which by ``sched_autogroup`` is the last served."""
    with subprocess.Popen([sys.executable, "-c", program], start_new_session=True) as process:
        with contextlib.suppress(OSError):
            Path(f"/proc/{process.pid}/autogroup").write_text("19")
        try:
            yield process.pid
        finally:
            process.kill()
