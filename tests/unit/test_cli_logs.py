"""Reading logs: their end, what is added, and rotation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from poolkeeper.cli.commands.logs import format_event
from poolkeeper.cli.main import run
from poolkeeper.cli.tail import BLOCK, follow_lines, read_last_lines


@pytest.mark.parametrize(
    ("content", "count", "lines"),
    [
        ("", 5, []),
        ("a\nb\nc\n", 2, ["b", "c"]),
        ("a\nb\nc", 2, ["b", "c"]),
        ("a\n", 5, ["a"]),
        ("a\nb\n", 0, []),
    ],
)
def test_the_last_lines(tmp_path: Path, content: str, count: int, lines: list[str]) -> None:
    path = tmp_path / "log"
    path.write_text(content)
    assert read_last_lines(path, count) == lines


def test_the_last_lines_of_more_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"line {number}\n" for number in range(BLOCK)))
    assert read_last_lines(path, 2) == [f"line {BLOCK - 2}", f"line {BLOCK - 1}"]
    assert len(read_last_lines(path, 40_000)) == 40_000


class Log:
    """A log that something happens to whenever its reader has to wait."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.happenings: Iterator[object] = iter(())
        path.write_text("old\n")

    def add(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    def follow(self) -> Iterator[str]:
        return follow_lines(lambda: self.path if self.path.exists() else None, self.happen)

    def happen(self) -> None:
        next(self.happenings)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "pk.log")


def read_until_quiet(log: Log) -> list[str]:
    lines = []
    try:
        for line in log.follow():
            lines.append(line)
    except RuntimeError:  # the happenings are at their end: a generator's StopIteration
        pass
    return lines


def test_following_begins_after_what_is_there(log: Log) -> None:
    log.happenings = (log.add(text) for text in ("one\n", "two\nthree\n"))
    assert read_until_quiet(log) == ["one", "two", "three"]


def test_a_line_comes_once_it_is_complete(log: Log) -> None:
    log.happenings = (log.add(text) for text in ("hal", "f\n"))
    assert read_until_quiet(log) == ["half"]


def test_nothing_is_lost_when_the_log_is_rotated(log: Log) -> None:
    def rotate() -> Iterator[object]:
        yield log.add("one\n")
        log.add("two\n")
        log.path.rename(log.path.with_suffix(".1"))
        yield log.path.write_text("three\n")
        yield log.add("four\n")

    log.happenings = rotate()
    assert read_until_quiet(log) == ["one", "two", "three", "four"]


def test_an_emptied_log_is_read_from_its_beginning(log: Log) -> None:
    log.happenings = (step() for step in (lambda: log.path.write_text("x\n"),))
    assert read_until_quiet(log) == ["x"]


def test_a_log_that_comes_later(log: Log) -> None:
    log.path.unlink()

    def begin() -> Iterator[object]:
        yield None
        yield log.path.write_text("first\n")
        yield log.add("second\n")

    log.happenings = begin()
    assert read_until_quiet(log) == ["first", "second"]


def test_an_event_is_made_readable() -> None:
    event = {
        "timestamp": "2026-11-01T10:00:00Z",
        "level": "info",
        "logger": "poolkeeper",
        "event": "reloaded",
        "pools": 2,
        "reason": "it was time",
    }
    assert format_event(json.dumps(event)) == (
        '2026-11-01T10:00:00Z info     reloaded pools=2 reason="it was time"'
    )
    assert format_event("Traceback …") == "Traceback …"
    assert format_event("[1]") == "[1]"


def test_a_terminal_obeys_nothing_that_strangers_brought_into_a_log(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"timestamp": "now", "level": "info", "event": "request"}
    path = "/\x1b]0;mine\x07\n2026-11-01T10:00:00Z\x9b31m"
    log = state / "logs" / "control-plane.log"
    log.write_text(json.dumps({**event, "path": path, "exception": f"E: {path}"}) + f"\n{path}\n")
    assert run(["logs"]) == 0
    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isprintable()
    assert printed.startswith(
        r'now info     request path="/\u001b]0;mine\u0007\n2026-11-01T10:00:00Z\x9b31m"'
    )
    [main] = (state / "clusters").iterdir()
    (main / "log" / "postgres.log").write_text(f"STATEMENT:\tSELECT '{path}'\n")
    assert run(["logs", "main"]) == 0
    printed = capsys.readouterr().out
    assert printed.replace("\n", "").replace("\t", "").isprintable()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The logs of a control plane and a cluster `main` that do not run."""
    monkeypatch.setenv("POOLKEEPER_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "control-plane.log").write_text("one\ntwo\n")
    log = tmp_path / "clusters" / "0d6b1c1e-7a52-4b8e-9f53-2f6f0c3b9a11" / "log"
    log.mkdir(parents=True)
    (log.parent / "name").write_text("main\n")
    (log / "postgres.log").write_text("LOG: ready\n")
    (log / "pooler-1.log").write_text("LOG pooler up\n")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("logs", "one\ntwo\n"),
        ("logs -n 1", "two\n"),
        ("logs main", "LOG: ready\n"),
        ("logs 0d6b1c1e-7a52-4b8e-9f53-2f6f0c3b9a11", "LOG: ready\n"),
        ("logs main --pooler", "LOG pooler up\n"),
    ],
)
def test_logs_need_no_server(
    state: Path, line: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("logs mian", "there is no cluster 'mian'"),
        ("logs --pooler", "--pooler needs a cluster"),
        ("logs main --pooler --process 2", "there is no log yet"),
    ],
)
def test_logs_that_are_not_there(
    state: Path, line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == 1
    assert message in capsys.readouterr().err
