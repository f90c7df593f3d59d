"""PgBouncer as a process."""

from __future__ import annotations

import contextlib
from pathlib import Path
from uuid import uuid4

import pytest

from poolkeeper.domain.clusters import Ports
from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.engine.files import write_if_changed
from poolkeeper.engine.layout import ClusterPaths, make_cluster_folders
from poolkeeper.engine.pgbouncer.binary import Binary
from poolkeeper.engine.pgbouncer.process import demand_known, start_pooler
from poolkeeper.engine.processes import Processes, wait_gone
from tests.plane import wait_until

TASKS = Path("/proc/self/task")


def test_those_that_end_at_once_do_not_pile_up(state: Path, processes: Processes) -> None:
    """As with a port that is taken: it is tried again twice a minute, for days."""
    paths = ClusterPaths.of(state, uuid4(), Ports(25060))
    make_cluster_folders(paths, processes.account)
    before = list_zombies()

    def start() -> None:
        with contextlib.suppress(ProcessFailed):
            start_pooler(paths, Binary(Path("/bin/false"), (1, 26, 1)), processes, nofile=100)

    for _ in range(3):
        start()
        wait_until("it has ended", lambda: list_zombies() - before)
    start()
    assert len(list_zombies() - before) <= 1


def test_one_that_would_not_be_known_again_is_ended(state: Path, processes: Processes) -> None:
    paths = ClusterPaths.of(state, uuid4(), Ports(25060))
    make_cluster_folders(paths, processes.account)
    write_if_changed(paths.pooler / "pgbouncer-1.ini", "", owner=processes.account)
    odd = Binary(paths.run / "pgbouncer-1.26", (1, 26, 1))
    write_if_changed(
        odd.path, "#!/bin/sh\nexec sleep 60 # $2\n", owner=processes.account, mode=0o755
    )
    started = start_pooler(paths, odd, processes, nofile=100)
    with pytest.raises(ProcessFailed, match=r"pgbouncer-1\.26 runs as a program"):
        demand_known(paths, started, odd)
    assert wait_gone(started, 0)


def list_zombies() -> set[str]:
    """Children of ours that have ended and were not collected."""
    children = " ".join(file.read_text() for file in TASKS.glob("*/children")).split()
    return {pid for pid in children if read_state(pid) == "Z"}


def read_state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
