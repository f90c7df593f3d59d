"""The log: one event a line, whoever wrote it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from poolkeeper.control_plane.logs import FILE_NAME, configure_logs


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A configured log; logging and structlog are as they were after."""
    root, ours = logging.getLogger(), logging.getLogger("poolkeeper")
    before = root.handlers[:], root.level, ours.level
    configure_logs(tmp_path, "info")
    yield tmp_path / FILE_NAME
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level, ours.level = before
    structlog.reset_defaults()


def read_events(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_our_own_events(log: Path) -> None:
    structlog.get_logger("poolkeeper.test").info("pool_created", pool="web", size=10)
    [event] = read_events(log)
    assert (event["event"], event["pool"], event["size"]) == ("pool_created", "web", 10)
    assert (event["level"], event["logger"]) == ("info", "poolkeeper.test")
    assert str(event["timestamp"]).endswith("Z")


def test_what_is_below_the_level_is_left_out(log: Path) -> None:
    structlog.get_logger("poolkeeper.test").debug("detail")
    logging.getLogger("some.library").info("chatter")
    assert read_events(log) == []


def test_warnings_of_libraries(log: Path) -> None:
    logging.getLogger("uvicorn.error").warning("Invalid %s request received.", "HTTP")
    [event] = read_events(log)
    assert event["event"] == "Invalid HTTP request received."
    assert (event["level"], event["logger"]) == ("warning", "uvicorn.error")


def test_an_exception_is_one_line(log: Path) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger("poolkeeper.test").exception("pass_broke")
        logging.getLogger("some.library").exception("broke")
    ours, theirs = read_events(log)
    assert "ValueError: broken" in str(ours["exception"])
    assert "ValueError: broken" in str(theirs["exception"])


def test_only_its_owner_reads_it(log: Path) -> None:
    assert log.stat().st_mode & 0o777 == 0o600
