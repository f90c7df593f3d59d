"""PgBouncer's log is put aside in time, and only so much of it is kept."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from poolkeeper.domain.clusters import Ports
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.log import (
    KEPT_FILES,
    log_file,
    read_pooler_log,
    rotate_pooler_log,
)


def make_paths(state: Path) -> ClusterPaths:
    paths = ClusterPaths.of(state, UUID(int=1), Ports(25060))
    paths.log.mkdir(parents=True)
    return paths


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    assert not rotate_pooler_log(paths)
    log_file(paths).write_text("short")
    assert not rotate_pooler_log(paths, max_bytes=6)
    assert log_file(paths).read_text() == "short"


def test_the_newest_logs_are_kept_in_order(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    for number in range(KEPT_FILES + 3):
        log_file(paths).write_text(f"log {number}")
        assert rotate_pooler_log(paths, max_bytes=1)
    kept = sorted(path.name for path in paths.log.iterdir())
    assert kept == [f"pooler-1.log.{number}" for number in range(1, KEPT_FILES + 1)]
    newest = log_file(paths).with_name("pooler-1.log.1")
    assert newest.read_text() == f"log {KEPT_FILES + 2}"


def test_the_reason_is_what_tells_of_trouble(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    log_file(paths).write_text("1 LOG up\n2 FATAL cannot load key\n3 LOG bye\n")
    assert read_pooler_log(paths) == "2 FATAL cannot load key"
