"""What a detached start tells whoever waits for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from poolkeeper.cli.commands import up
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.summary import StartSummary
from poolkeeper.settings import Settings, load

SUMMARY = StartSummary("https://127.0.0.1:8443", "/token", "/ca", 1)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(up, "leave_terminal", lambda _descriptor: None)
    return load({"state_dir": str(tmp_path)}, {}, host_checks=False).settings


def test_a_start_that_fails_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise CommandFailed("the port is taken")

    monkeypatch.setattr(up, "_serve", fail)
    reader, writer = os.pipe()
    with pytest.raises(CommandFailed):
        up._serve_reporting(settings, False, writer)
    with os.fdopen(reader) as pipe:
        assert json.loads(pipe.read()) == {"error": "the port is taken"}


def test_a_failure_after_the_start_is_written_into_no_file_that_took_the_pipes_place(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    store = tmp_path / "store"

    def serve(_settings: Settings, _empty: bool, tell: Callable[[StartSummary], None]) -> None:
        tell(SUMMARY)
        opened = os.open(store, os.O_WRONLY | os.O_CREAT)
        if opened != writer:
            os.dup2(opened, writer)
            os.close(opened)
        raise CommandFailed("it ended badly")

    monkeypatch.setattr(up, "_serve", serve)
    with pytest.raises(CommandFailed):
        up._serve_reporting(settings, False, writer)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert "summary" in json.loads(pipe.read())
    assert store.read_bytes() == b""
