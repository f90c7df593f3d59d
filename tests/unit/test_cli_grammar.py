"""Command lines that make sense, and those that do not: doctl's manners and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from poolkeeper.cli import main
from poolkeeper.cli.commands import up as up_module
from poolkeeper.cli.invocation import Invocation
from poolkeeper.cli.main import Root, run
from poolkeeper.cli.setting_flags import list_setting_params
from poolkeeper.settings import ROWS


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Poolkeeper runs, and no context is known."""
    monkeypatch.setenv("POOLKEEPER_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_help_names_every_command_and_imports_none() -> None:
    code = (
        "import sys; from poolkeeper.cli.main import run; run(['--help']);"
        "loaded = [name for name in sys.modules if name.startswith('poolkeeper.cli.commands.')"
        " or name in ('httpx', 'rich', 'fastapi', 'sqlalchemy')]; sys.exit(str(loaded or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    for name in Root.entries:
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", list(Root.entries))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"Usage: poolkeeper {name}")
    assert "Global options:" in told


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("db p ls", "databases pool list"),
        ("d pool u", "databases pool update"),
        ("dbs u rs", "databases user reset"),
        ("database conn", "databases connection"),
        ("databases gc", "databases get-ca"),
        ("databases o eng", "databases options engines"),
        ("databases cfg g", "databases configuration get"),
        ("databases db rm", "databases db delete"),
        ("databases rs", "databases resize"),
        ("databases mw u", "databases maintenance-window update"),
        ("tokens rm", "tokens revoke"),
    ],
)
def test_doctls_aliases(line: str, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*line.split(), "-h"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: poolkeeper {path} ")


@pytest.mark.parametrize("line", ["", "databases", "databases pool", "tokens"])
def test_a_group_alone_prints_its_help(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == 0
    assert capsys.readouterr().out.startswith(f"Usage: {f'poolkeeper {line}'.strip()} ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("databases list --bogus", "No such option: --bogus"),
        ("databases pool create a b --size ten --db x", "--size"),
        ("databases lst", "unknown command 'lst' for 'poolkeeper databases'; did you mean 'list'?"),
        ("databses", "did you mean 'databases'?"),
        ("databases get a b", "unexpected extra argument"),
    ],
)
def test_a_line_that_makes_no_sense_exits_with_255_and_usage(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == main.MISUSED
    told = capsys.readouterr()
    assert message in told.err
    assert "Usage: poolkeeper" in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("databases get", "(databases.get) command is missing required arguments"),
        ("db g", "(databases.get) command is missing required arguments"),
        ("databases pool get main", "(pool.get) command is missing required arguments"),
        ("databases pool create", "(pool.create) command is missing required arguments"),
        (
            "databases pool create main p --db d",
            "(pool.create.size) command is missing required arguments: "
            "poolkeeper databases pool create CLUSTER POOL --size N --db NAME",
        ),
        ("databases options slugs", "(options.slugs.engine) command is missing"),
        ("databases config get x", "(configuration.get.engine) command is missing"),
        ("db cfg u x -e pg", "(configuration.update.config-json) command is missing"),
    ],
)
def test_missing_arguments_exit_with_1_in_doctls_words(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == main.FAILED
    assert f"Error: {message}" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["-o json databases get", "databases get -o json"])
def test_errors_in_json_are_on_stdout_wherever_the_flag_stands(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == main.FAILED
    told = capsys.readouterr()
    [error] = json.loads(told.out)["errors"]
    assert error["detail"].startswith("(databases.get) command is missing")
    assert told.err == ""


@pytest.mark.parametrize("line", ["databases list", "events", "tokens list", "psql main"])
def test_without_a_server_one_line_says_what_to_do(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == main.FAILED
    told = capsys.readouterr().err
    assert told.startswith("Error: ")
    assert "poolkeeper up" in told or "postgresql-client" in told
    assert told.count("\n") == 1


def test_an_update_must_say_what_to_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["databases", "pool", "update", "main", "main-pool"]) == main.FAILED
    assert "say what to change: --size" in capsys.readouterr().err


def test_an_output_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version", "-o", "yaml"]) == main.FAILED
    assert "unknown output type 'yaml'" in capsys.readouterr().err


def test_every_setting_is_a_flag_of_up() -> None:
    up = typer.main.get_command(up_module.app)
    with up.make_context("up", [], obj=Invocation(), resilient_parsing=True) as ctx:
        flags = {name for param in up.get_params(ctx) for name in param.opts}
    assert {row.flag for row in ROWS} <= flags
    assert len(list_setting_params()) == len(ROWS) - 1  # --state-dir is a global flag


def test_config_show_tells_origins(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["config", "show", "--api-port", "9443", "-o", "json"]) == 0
    shown = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (shown["api_port"]["value"], shown["api_port"]["origin"]) == (9443, "--api-port")
    assert shown["state_dir"]["origin"] == "POOLKEEPER_HOME"
    assert shown["state_dir"]["value"] == str(tmp_path / "state")
