"""Starting, finding and stopping Poolkeeper with the CLI, and its log."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.plane import COMMAND, Plane, wait_until

Cluster = Mapping[str, Any]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(plane: Plane) -> Run:
    """One command line that must succeed unless told otherwise; nobody is at a terminal."""

    def run_command(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return plane.run(*arguments, **({"stdin": subprocess.DEVNULL} | more))

    return run_command


def test_following_the_control_planes_log(plane: Plane, run: Run) -> None:
    output = plane.state / "follow.out"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [*COMMAND, "logs", "-f", "-n", "0"], env=plane.environment, stdout=sink
        )
    try:
        wait_until("a request is logged", lambda: _request_seen(run, output))
    finally:
        process.terminate()
        process.wait()


def _request_seen(run: Run, output: Path) -> bool:
    run("databases", "list")
    return "path=/v2/databases" in output.read_text()


class TestLife:
    """`up`, `status` and `down` on a state of their own."""

    @pytest.fixture
    def own(self) -> Iterator[Plane]:
        plane = Plane()
        yield plane
        plane.run("down", "--all", "--force", check=False)
        plane.destroy()

    def test_the_first_start_hands_over_a_pool_that_answers(self, own: Plane) -> None:
        told = own.run("up", "--detach").stdout
        for fact in ("Pool ", "Direct ", own.url, str(own.home / "token"), str(own.ca)):
            assert fact in told
        [line] = [line for line in told.splitlines() if line.startswith("  psql ")]
        pasted = subprocess.run(
            [*shlex.split(line), "-Atc", "SELECT 42"], capture_output=True, text=True, check=False
        )
        assert pasted.stdout == "42\n", pasted.stderr
        [pool] = json.loads(own.run("databases", "pool", "list", "main", "-o", "json").stdout)
        assert (pool["name"], pool["size"], pool["mode"]) == ("main-pool", 10, "transaction")
        self._refuse_a_second_start(own)
        self._stop_and_find_the_servers_alive(own, pool["connection"]["uri"])

    def _refuse_a_second_start(self, own: Plane) -> None:
        status = json.loads(own.run("status", "-o", "json").stdout)
        assert status["running"]
        assert (status["api"], status["token_file"]) == (own.url, str(own.home / "token"))
        assert [cluster["name"] for cluster in status["clusters"]] == ["main"]
        for flags in ((), ("--detach",)):
            again = own.run("up", *flags, check=False)
            assert again.returncode == 1
            assert f"process {status['pid']} already runs Poolkeeper" in again.stderr

    def _stop_and_find_the_servers_alive(self, own: Plane, uri: str) -> None:
        own.run("down")
        stopped = own.run("status", "-o", "json", check=False)
        assert stopped.returncode == 1
        assert not json.loads(stopped.stdout)["running"]
        assert len(own.list_servers("pgbouncer")) == 1
        asked = own.run("down", "--all", check=False, stdin=subprocess.DEVNULL)
        assert "Requires confirmation" in asked.stderr
        told = own.run("down", "--all", "--force").stdout
        assert "main: stopped" in told
        assert own.list_servers() == []
        assert "does not run" in own.run("down").stdout

    def test_an_empty_start(self, own: Plane) -> None:
        told = own.run("up", "--detach", "--empty").stdout
        assert "databases create NAME" in told
        assert json.loads(own.run("databases", "list", "-o", "json").stdout) == []
        assert own.run("databases", "list", "--no-header").stdout == ""

    def test_why_it_did_not_start_reaches_the_terminal(self, own: Plane, plane: Plane) -> None:
        taken = own.run("up", "--detach", "--api-port", str(plane.api_port), check=False)
        assert taken.returncode == 1
        assert "Error: the API cannot listen on" in taken.stderr
        wrong = own.run("up", "--detach", "--listen", "here", "--api-port", "0", check=False)
        assert "2 wrong settings" in wrong.stderr

    def test_ctrl_c_stops_it_and_is_no_failure(self, own: Plane) -> None:
        own.start("--empty")
        assert own.process is not None
        own.process.send_signal(2)
        assert own.process.wait(60) == 0
        assert "PostgreSQL and PgBouncer go on" in own.output.read_text()
