"""PostgreSQL's own load generator: ``pgbench``, its built-in ``select-only`` script.

It runs in a session of its own, as applications and services do: Linux (``sched_autogroup``)
shares processor time among sessions before it does among threads.
"""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.spread import Spread
from bench.usage import count_sockets

THREADS = 2
_LONGEST = 3600
_SAMPLED = 0.05


@dataclass(frozen=True)
class Report:
    """What pgbench says at its end; ``aborted``: a line for each client that gave up."""

    transactions: int
    failed: int
    tps: float
    latency_ms: float
    aborted: tuple[str, ...]


class Load:
    """Clients that stay connected and query without a pause until ``stop``."""

    def __init__(self, process: subprocess.Popen[str], clients: int) -> None:
        self._process = process
        self.clients = clients

    def await_connected(self) -> None:
        """Return once all clients are connected. Raises RuntimeError."""
        deadline = time.monotonic() + 30
        while self.count_connected() < self.clients:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                _, errors = self._process.communicate()
                raise RuntimeError(f"the load does not start: {errors[-300:]}")
            time.sleep(0.05)
        time.sleep(1)  # so that the pool has opened its backends, too

    def count_connected(self) -> int:
        """Clients that are connected now."""
        return count_sockets(self._process.pid)

    def stop(self) -> Report:
        """End it as the end of its time would: each client ends what it is at."""
        self._process.send_signal(signal.SIGALRM)
        output, errors = self._process.communicate(timeout=30)
        return _parse(output, errors)

    def end(self) -> None:
        """Nothing of it is left after this."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def make_tables(uri: str, scale: int) -> None:
    """pgbench's tables, ``scale`` times 100,000 rows, through a direct URI."""
    _run(["pgbench", "--initialize", "--quiet", f"--scale={scale}", uri], timeout=300)


@contextmanager
def running_load(uri: str, clients: int) -> Iterator[Load]:
    """Select-only clients at full speed, for as long as the block takes."""
    process = subprocess.Popen(
        [*_compose(clients, _LONGEST, "simple"), uri],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    load = Load(process, clients)
    try:
        load.await_connected()
        yield load
    finally:
        load.end()


def run_for(uri: str, *, clients: int, seconds: int, protocol: str) -> tuple[Report, Spread]:
    """One run, and the latencies in seconds of a twentieth of its transactions.

    ``protocol``: pgbench's ``--protocol``. Raises RuntimeError when a client fails.
    """
    with tempfile.TemporaryDirectory(prefix="pk-bench-") as folder:
        log = ["--log", f"--sampling-rate={_SAMPLED}", f"--log-prefix={folder}/log"]
        done = _run([*_compose(clients, seconds, protocol), *log, uri], timeout=seconds + 60)
        latencies = [
            int(line.split()[2]) / 1e6
            for file in Path(folder).iterdir()
            for line in file.read_text().splitlines()
        ]
    return _parse(done.stdout, done.stderr), Spread.of(latencies)


def _compose(clients: int, seconds: int, protocol: str) -> list[str]:
    return [
        *("pgbench", "--no-vacuum", "--select-only"),
        *(f"--client={clients}", f"--jobs={THREADS}"),
        *(f"--time={seconds}", f"--protocol={protocol}"),
    ]


def _run(command: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        start_new_session=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"pgbench: {done.stderr.strip()[-300:]}")
    return done


def _parse(output: str, errors: str) -> Report:
    def number(pattern: str) -> float:
        match = re.search(pattern, output)
        if match is None:
            raise RuntimeError(f"pgbench said {output[-300:]!r} {errors[-300:]!r}")
        return float(match[1])

    return Report(
        transactions=int(number(r"actually processed: (\d+)")),
        failed=int(number(r"failed transactions: (\d+)")),
        tps=number(r"tps = ([\d.]+)"),
        latency_ms=number(r"latency average = ([\d.]+)"),
        aborted=tuple(line for line in errors.splitlines() if " aborted in " in line),
    )
