"""Wall time of two commands as a shell would start them, each run 20 times in turn; the first run
of each, which may have to read files from the disk, is not counted. The list asks a running
control plane with one cluster and one pool.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.report import Row
from bench.spread import Spread
from bench.stage import first_start
from tests.plane import Plane

TITLE = "Commands"
LIMIT = 180

_COMMANDS = ((("--help",), 0.25), (("databases", "pool", "list", "main"), 0.5))


def run(quick: bool) -> list[Row]:
    """Take the figure."""
    times = 3 if quick else 20
    with first_start() as (plane, _):
        return [_measure(plane, arguments, goal, times) for arguments, goal in _COMMANDS]


def _measure(plane: Plane, arguments: tuple[str, ...], goal: float, times: int) -> Row:
    _time_command(plane, arguments)
    spread = Spread.of([_time_command(plane, arguments) for _ in range(times)])
    command = " ".join(("poolkeeper", *arguments))
    return Row(f"`{command}`", spread.in_seconds(), f"≤ {goal:g} s", spread.median <= goal)


def _time_command(plane: Plane, arguments: tuple[str, ...]) -> float:
    program = Path(sys.executable).with_name("poolkeeper")
    started = time.perf_counter()
    done = subprocess.run(
        [program, *arguments],
        env=plane.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()}")
    return seconds
