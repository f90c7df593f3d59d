import os
from pathlib import Path
from uuid import uuid4

import pytest

from poolkeeper.domain.clusters import Ports
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres.log import (
    START_LOG,
    explain_failure,
    prune_logs,
    read_log_tail,
)

AT = "2026-01-01 00:00:00.000 UTC [7] "


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    paths = ClusterPaths.of(tmp_path, uuid4(), Ports(25060))
    paths.log.mkdir(parents=True)
    return paths


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "it wrote nothing to its log"),
        (["sh: 1: postgres: Permission denied"], "sh: 1: postgres: Permission denied"),
        (
            [
                'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
                "HINT:  Is another postmaster already running on port 25060?",
                'WARNING:  could not create listen socket for "127.0.0.1"',
                "FATAL:  could not create any TCP/IP sockets",
                "LOG:  database system is shut down",
            ],
            'could not bind IPv4 address "127.0.0.1": Address already in use',
        ),
        (
            [
                "FATAL:  could not load server certificate file",
                "app@defaultdb 127.0.0.1 psql FATAL:  the database system is starting up",
                "LOG:  database system is shut down",
            ],
            "could not load server certificate file",
        ),
        (
            [
                "LOG:  startup process (PID 8) was terminated by signal 6",
                "PANIC:  could not locate a valid checkpoint record",
                "HINT:  Restore from a backup.",
            ],
            "could not locate a valid checkpoint record Restore from a backup.",
        ),
    ],
)
def test_the_reason_is_found_in_the_log(lines: list[str], reason: str) -> None:
    assert explain_failure([line if "sh:" in line else AT + line for line in lines]) == reason


def test_the_tail_is_that_of_the_last_start(paths: ClusterPaths) -> None:
    assert read_log_tail(paths) == ""
    (paths.log / "postgresql-20260101-000000.log").write_text("old\n")
    (paths.log / "postgresql-20260102-000000.log").write_text("one\ntwo\n")
    (paths.log / START_LOG).write_text("redirecting\n")
    os.utime(paths.log / START_LOG, ns=(0, 1000))
    assert read_log_tail(paths, 1) == "two"
    # A later start that did not get as far as its log.
    os.utime(paths.log / "postgresql-20260102-000000.log", ns=(0, 900))
    assert read_log_tail(paths) == "redirecting"


def test_the_oldest_files_go_and_the_newest_stays(paths: ClusterPaths) -> None:
    for day in (1, 2, 3):
        (paths.log / f"postgresql-2026010{day}-000000.log").write_text("x" * 100)
    (paths.log / "pooler-1.log").write_text("x" * 1000)
    assert prune_logs(paths, 1000) == []
    removed = prune_logs(paths, 250)
    assert [path.name for path in removed] == ["postgresql-20260101-000000.log"]
    prune_logs(paths, 10)
    left = sorted(path.name for path in paths.log.iterdir())
    assert left == ["pooler-1.log", "postgresql-20260103-000000.log"]
