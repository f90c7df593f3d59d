"""Many idle clients in processes of their own: ``python -m bench.idle_clients``.

Such a process is told by one line of JSON on its standard input what to open, and answers with
one line how many are connected. At each further line it asks one query through every one of
them, and says how many were answered. It leaves when its input ends, and its clients with it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from bench.machine import ROOT
from bench.wire import LoginFailed, Place, answers_query, open_client

PROCESSES = 4


@dataclass(frozen=True)
class IdleClients:
    """They are connected, ``connected`` of them; ``errors``: why others are not."""

    connected: int
    errors: Mapping[str, int]
    processes: Sequence[subprocess.Popen[str]]

    def ask_each(self) -> int:
        """Let each ask one query; how many were answered."""
        for process in self.processes:
            _tell(process, "ask")
        return sum(_hear(process)["answered"] for process in self.processes)


@contextmanager
def connected_clients(place: Place, count: int) -> Iterator[IdleClients]:
    """That many clients, or as many as can be had; all gone afterwards."""
    command = [sys.executable, "-m", "bench.idle_clients"]
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(PROCESSES)
    ]
    try:
        for number, process in enumerate(processes):
            share = count // PROCESSES + (number < count % PROCESSES)
            _tell(process, json.dumps({"count": share, **asdict(place)}))
        answers = [_hear(process) for process in processes]
        errors = sum((Counter(answer["errors"]) for answer in answers), Counter())
        yield IdleClients(sum(each["connected"] for each in answers), errors, processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> None:
    """One of the processes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = json.loads(sys.stdin.readline())
    count = wanted.pop("count")
    place = Place(**wanted)
    clients, errors = [], Counter[str]()
    for _ in range(count):
        try:
            clients.append(open_client(place))
        except (OSError, LoginFailed) as error:
            errors[str(error)] += 1
    print(json.dumps({"connected": len(clients), "errors": errors}), flush=True)
    for _ in sys.stdin:
        answered = sum(answers_query(client) for client in clients)
        print(json.dumps({"answered": answered}), flush=True)


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a process with idle clients has died")
    return json.loads(line)


if __name__ == "__main__":
    main()
