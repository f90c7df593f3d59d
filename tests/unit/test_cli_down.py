"""Stopping Poolkeeper and asking for it when something is in the way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from poolkeeper.cli.main import run


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POOLKEEPER_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("command", "code"), [("down", 0), ("status", 1)])
def test_a_wrong_setting_is_no_reason_not_to_stop(
    state: Path, capsys: pytest.CaptureFixture[str], command: str, code: int
) -> None:
    (state / "poolkeeper.toml").write_text("api_port = 99999\n")
    assert run([command]) == code
    assert f"Poolkeeper does not run in {state}" in capsys.readouterr().out


def test_a_state_that_cannot_be_seen_is_not_called_stopped(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a folder of root's, which root cannot show here."""

    def refuse(path: Any, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    assert run(["down"]) == 1
    assert "Permission denied; run this as the account that started it" in capsys.readouterr().err
