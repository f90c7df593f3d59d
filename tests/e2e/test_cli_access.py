"""Tokens, contexts and psql: who gets in with the CLI, and where to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.terminal import type_at
from tests.plane import COMMAND, Plane

Cluster = Mapping[str, Any]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(plane: Plane) -> Run:
    """One command line that must succeed unless told otherwise; nobody is at a terminal."""

    def run_command(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return plane.run(*arguments, **({"stdin": subprocess.DEVNULL} | more))

    return run_command


@pytest.fixture
def read_json(run: Run) -> Callable[..., Any]:
    return lambda *arguments: json.loads(run(*arguments, "-o", "json").stdout)


@pytest.fixture
def pool(run: Run, cluster: Cluster) -> Iterator[str]:
    """A pool of doadmin's, size 3."""
    run("databases", "pool", "create", cluster["name"], "access-pool", "--size", "3",
        "--db", "defaultdb", "--user", "doadmin")  # fmt: skip
    yield "access-pool"
    run("databases", "pool", "delete", cluster["name"], "access-pool", "--force", check=False)


def test_tokens_and_their_scopes(
    cluster: Cluster, run: Run, read_json: Callable[..., Any], plane: Plane
) -> None:
    [token] = read_json("tokens", "create", "reader", "--scope", "database:read",
                        "--expires-in", "1h")  # fmt: skip
    assert len(token["value"]) == 64
    with_token = ("-t", token["value"])
    [found] = json.loads(run(*with_token, "databases", "get", cluster["name"], "-o", "json").stdout)
    assert found["connection"]["password"] == ""
    refused = run(*with_token, "databases", "db", "create", cluster["name"], "x", check=False)
    assert refused.returncode == 1
    assert "database:create" in refused.stderr
    assert "reader" in run("tokens", "list").stdout
    run("tokens", "revoke", "reader", "--force")
    revoked = run(*with_token, "databases", "list", check=False)
    assert "Unable to authenticate you." in revoked.stderr


class TestPsql:
    QUERY = ("--", "-Atc", "SELECT current_user, current_database()")

    def test_direct_and_through_a_pool(self, cluster: Cluster, pool: str, run: Run) -> None:
        assert run("psql", cluster["name"], *self.QUERY).stdout == "doadmin|defaultdb\n"
        assert run("psql", cluster["name"], pool, *self.QUERY).stdout == "doadmin|defaultdb\n"

    def test_an_inbound_pool_needs_a_user(self, cluster: Cluster, pool: str, run: Run) -> None:
        name = cluster["name"]
        run("databases", "pool", "update", name, pool, "--user", "")
        assert "say with --user" in run("psql", name, pool, *self.QUERY, check=False).stderr
        run("databases", "user", "create", name, "psql-user")
        done = run("psql", name, pool, "--user", "psql-user", *self.QUERY)
        assert done.stdout == "psql-user|defaultdb\n"

    def test_the_password_is_not_on_the_command_line(self, cluster: Cluster, run: Run) -> None:
        seen = run("psql", cluster["name"], "--", "-c", r"\! tr '\0' ' ' < /proc/$PPID/cmdline")
        assert "sslmode='verify-full'" in seen.stdout
        assert cluster["connection"]["password"] not in seen.stdout


class TestContexts:
    @pytest.fixture
    def away(self, plane: Plane, tmp_path: Path) -> dict[str, str]:
        """The environment of another machine: no Poolkeeper runs there."""
        return {
            **plane.environment,
            "POOLKEEPER_HOME": str(tmp_path / "none"),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        }

    @pytest.fixture
    def run_away(self, away: dict[str, str]) -> Run:
        def run_command(
            *arguments: str, check: bool = True, typed: str = ""
        ) -> subprocess.CompletedProcess[str]:
            done = subprocess.run(
                [*COMMAND, *arguments],
                env=away,
                input=typed,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0 or not check, done.stderr
            return done

        return run_command

    def test_a_login_on_trust_of_a_fingerprint(
        self, plane: Plane, run: Run, run_away: Run, away: dict[str, str], cluster: Cluster
    ) -> None:
        answers = [("HOST:8443): ", plane.url), ("(y/N) ", "y"), ("API token: ", plane.token)]
        init = type_at(away, ("auth", "init", "--context", "prod"), answers)
        assert init.code == 0, init.screen
        assert plane.token not in init.screen
        fingerprint = json.loads(run("status", "-o", "json").stdout)["fingerprint"]
        assert fingerprint in init.screen
        assert cluster["name"] in run_away("databases", "list").stdout
        kept = Path(away["XDG_CONFIG_HOME"]) / "poolkeeper" / "prod.pem"
        assert kept.read_text() == plane.ca.read_text()
        assert run_away("psql", cluster["name"], *TestPsql.QUERY).stdout.startswith("doadmin")

    def test_a_login_by_script_switch_and_remove(
        self, plane: Plane, run_away: Run, away: dict[str, str]
    ) -> None:
        login = ("auth", "init", "--context", "ci", "-u", plane.url, "--ca-file", str(plane.ca))
        run_away(*login, typed=f"{plane.token}\n")
        names = run_away("auth", "list", "--format", "Name,Current", "--no-header").stdout
        assert [line.split() for line in names.splitlines()] == [
            ["local", "false"],
            ["ci", "true"],
        ]
        run_away("auth", "switch", "local")
        assert run_away("databases", "list", check=False).returncode == 1
        run_away("--context", "ci", "databases", "list")
        run_away("auth", "remove", "ci")
        assert not (Path(away["XDG_CONFIG_HOME"]) / "poolkeeper" / "ci.pem").exists()

    def test_a_wrong_token_leaves_no_context(
        self, plane: Plane, run_away: Run, away: dict[str, str]
    ) -> None:
        login = ("auth", "init", "-u", plane.url, "--ca-file", str(plane.ca), "-t", "0" * 64)
        done = run_away(*login, check=False)
        assert "does not accept the token" in done.stderr
        assert list(Path(away["XDG_CONFIG_HOME"]).rglob("*.*")) == []

    def test_nobody_there_to_accept_a_certificate(self, plane: Plane, run_away: Run) -> None:
        done = run_away("auth", "init", "-u", plane.url, "-t", "x", check=False)
        assert "give the CA's with --ca-file" in done.stderr
