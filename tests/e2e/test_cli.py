"""The CLI's databases commands against a running Poolkeeper, as people and scripts use them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.e2e.terminal import type_at
from tests.plane import Plane

Cluster = Mapping[str, Any]
Run = Callable[..., subprocess.CompletedProcess[str]]

POOL_COLUMNS = ["User", "Name", "Size", "Database", "Mode", "URI"]


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
    run("databases", "pool", "create", cluster["name"], "cli-pool", "--size", "3",
        "--db", "defaultdb", "--user", "doadmin")  # fmt: skip
    yield "cli-pool"
    run("databases", "pool", "delete", cluster["name"], "cli-pool", "--force", check=False)


class TestClusters:
    def test_by_name_and_by_id(self, cluster: Cluster, read_json: Callable[..., Any]) -> None:
        [by_name] = read_json("databases", "get", cluster["name"])
        [by_id] = read_json("databases", "get", cluster["id"])
        assert by_name == by_id
        assert by_name["id"] == cluster["id"]
        assert cluster["id"] in [each["id"] for each in read_json("dbs", "ls")]

    def test_a_refused_one_is_told_what_would_do(self, run: Run) -> None:
        refused = run("databases", "create", "other", "--size", "xxl", check=False)
        assert refused.returncode == 1
        assert "invalid size: it is a slug such as db-s-1vcpu-1gb" in refused.stderr

    def test_columns_are_doctls(self, cluster: Cluster, run: Run) -> None:
        header, *rows = run("databases", "list").stdout.splitlines()
        for name in ("ID", "Name", "Number of Nodes", "Storage (MiB)"):
            assert name in header
        assert any(row.startswith(cluster["id"]) for row in rows)
        got = run("databases", "get", cluster["name"], "--format", "Name,Created", "--no-header")
        assert got.stdout.startswith(cluster["name"])
        assert got.stdout.endswith(" +0000 UTC\n")

    def test_connection_is_an_object(self, cluster: Cluster, read_json: Callable[..., Any]) -> None:
        connection = read_json("databases", "connection", cluster["name"])
        assert connection == cluster["connection"]

    def test_the_ca(self, cluster: Cluster, plane: Plane, run: Run) -> None:
        printed = run("databases", "get-ca", cluster["name"], "--no-header").stdout
        assert printed.strip() == plane.ca.read_text().strip()

    def test_what_poolkeeper_knows(
        self, cluster: Cluster, pool: str, run: Run, read_json: Callable[..., Any]
    ) -> None:
        status = read_json("clusters", "status", cluster["name"])
        assert status["phase"] == "active"
        assert {process["kind"] for process in status["processes"]} == {"postgres", "pgbouncer"}
        told = run("clusters", "status", cluster["name"]).stdout
        assert "pgbouncer 1" in told
        assert pool in told
        assert cluster["name"] in run("clusters", "list").stdout

    def test_options(self, run: Run, read_json: Callable[..., Any]) -> None:
        assert run("databases", "options", "engines").stdout == "Engine\npg\n"
        [engine, *_] = read_json("databases", "options", "versions")
        assert engine == "pg"
        slugs = run("databases", "options", "slugs", "--engine", "pg", "--no-header").stdout
        assert "db-s-1vcpu-1gb" in slugs

    def test_create_waits_and_delete_wants_the_name(self, plane: Plane, run: Run) -> None:
        created = run("databases", "create", "cli-cluster", "--wait", "-o", "json")
        [found] = json.loads(created.stdout)
        assert found["status"] == "online"
        assert "Notice: Database created" in created.stderr
        delete = ("databases", "delete", "cli-cluster")
        assert run(*delete, check=False).returncode == 1
        wrong = type_at(plane.environment, delete, [("to go on: ", "cli")])
        assert (wrong.code, "Operation aborted" in wrong.screen) == (1, True)
        right = type_at(plane.environment, delete, [("to go on: ", "cli-cluster")])
        assert right.code == 0
        gone = run("databases", "get", found["id"], check=False)
        assert "there is no cluster" in gone.stderr


class TestConfiguration:
    def test_get_is_a_table_and_an_object(
        self, cluster: Cluster, run: Run, read_json: Callable[..., Any]
    ) -> None:
        get = ("databases", "configuration", "get", cluster["name"], "-e", "pg")
        header, *rows = run(*get).stdout.splitlines()
        shown = dict(row.split(maxsplit=1) for row in rows)
        assert header.split() == ["key", "value"]
        assert shown["jit"] == "true"
        assert shown["pgbouncer.server_lifetime"] == "3600"
        config = read_json(*get)
        assert (config["jit"], config["pgbouncer"]["server_lifetime"]) == (True, 3600)

    def test_update_changes_what_was_given(
        self, cluster: Cluster, run: Run, read_json: Callable[..., Any]
    ) -> None:
        update = ("dbs", "cfg", "u", cluster["id"], "-e", "pg", "--config-json")
        get = ("databases", "configuration", "get", cluster["id"], "--engine", "pg")
        before = read_json(*get)
        changed = {"work_mem": 9, "pgbouncer": {"server_lifetime": 900}}
        assert run(*update, json.dumps(changed)).stdout == ""
        now = read_json(*get)
        assert (now["work_mem"], now["pgbouncer"]["server_lifetime"]) == (9, 900)
        run(*update, '{"work_mem": null, "pgbouncer": null}')
        assert read_json(*get) == before

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ('{"work_mem": "9"}', 'work_mem: given "9"; it must be a whole number'),
            ('{"worm_mem": 9}', "work_mem is meant?"),
            ("[]", "--config-json must be an object"),
            ("{work_mem: 9}", "--config-json is not JSON"),
        ],
    )
    def test_what_cannot_be_is_told(
        self, cluster: Cluster, run: Run, given: str, told: str
    ) -> None:
        update = ("databases", "configuration", "update", cluster["name"], "-e", "pg")
        done = run(*update, "--config-json", given, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert told in done.stderr

    def test_there_is_one_engine(self, cluster: Cluster, run: Run) -> None:
        get = ("databases", "configuration", "get", cluster["name"], "-e", "mysql")
        assert "unknown engine 'mysql'; there is pg" in run(*get, check=False).stderr


class TestPools:
    def test_create_list_get(self, cluster: Cluster, pool: str, run: Run) -> None:
        header, row = run("databases", "pool", "list", cluster["name"]).stdout.splitlines()
        assert header.split() == POOL_COLUMNS
        assert row.split()[:5] == ["doadmin", pool, "3", "defaultdb", "transaction"]
        got = run("databases", "pool", "get", cluster["id"], pool)
        assert got.stdout.splitlines()[1] == row

    def test_an_update_changes_what_was_given(
        self, cluster: Cluster, pool: str, run: Run, read_json: Callable[..., Any]
    ) -> None:
        run("databases", "pool", "update", cluster["name"], pool, "--mode", "session")
        done = run("databases", "pool", "update", cluster["name"], pool, "--size", "4")
        assert done.stdout == ""  # as doctl; the plan is on stderr
        assert "size" in done.stderr
        assert "at once" in done.stderr
        [found] = read_json("databases", "pool", "get", cluster["name"], pool)
        assert (found["size"], found["mode"], found["user"]) == (4, "session", "doadmin")

    def test_an_empty_user_makes_it_inbound(
        self, cluster: Cluster, pool: str, run: Run, read_json: Callable[..., Any]
    ) -> None:
        done = run("databases", "pool", "update", cluster["name"], pool, "--user", "")
        assert "new connections only" in done.stderr
        [found] = read_json("databases", "pool", "get", cluster["name"], pool)
        assert (found["size"], found["user"]) == (3, "")

    def test_a_dry_run_changes_nothing(
        self, cluster: Cluster, pool: str, run: Run, read_json: Callable[..., Any]
    ) -> None:
        update = ("databases", "pool", "update", cluster["name"], pool, "--size", "9", "--dry-run")
        told = run(*update).stdout
        assert "Budget: 22 backend connections" in told
        plan = read_json(*update)
        assert [change["to"] for change in plan["changes"]] == ["9"]
        [found] = read_json("databases", "pool", "get", cluster["name"], pool)
        assert found["size"] == 3

    def test_nothing_to_change(self, cluster: Cluster, pool: str, run: Run) -> None:
        done = run("databases", "pool", "update", cluster["name"], pool, "--size", "3")
        assert done.stderr == "Nothing to change.\n"

    def test_status(
        self, cluster: Cluster, pool: str, run: Run, read_json: Callable[..., Any]
    ) -> None:
        found = read_json("databases", "pool", "status", cluster["name"], pool)
        assert (found["phase"], found["shares"]) == ("active", [3])
        assert "Clients waiting" in run("d", "p", "status", cluster["name"], pool).stdout

    def test_deleting_asks(self, cluster: Cluster, pool: str, plane: Plane, run: Run) -> None:
        delete = ("databases", "pool", "delete", cluster["name"], pool)
        alone = run(*delete, check=False)
        assert alone.returncode == 1
        assert alone.stderr == (
            "Warning: Requires confirmation. Use the `--force` flag to continue without "
            "confirmation.\nError: Operation aborted.\n"
        )
        assert type_at(plane.environment, delete, [("(y/N) ", "n")]).code == 1
        assert type_at(plane.environment, delete, [("(y/N) ", "y")]).code == 0
        gone = run("databases", "pool", "get", cluster["name"], pool, check=False)
        assert f"there is no pool '{pool}'" in gone.stderr


class TestUsersAndDatabases:
    def test_users(self, cluster: Cluster, run: Run, read_json: Callable[..., Any]) -> None:
        name = cluster["name"]
        [created] = read_json("databases", "user", "create", name, "cli-User")
        assert (created["name"], created["role"]) == ("cli-User", "normal")
        [renewed] = read_json("databases", "user", "reset", name, "cli-User")
        assert renewed["password"] != created["password"]
        assert read_json("databases", "user", "get", name, "cli-User") == [renewed]
        assert "cli-User" in run("databases", "user", "list", name).stdout
        run("databases", "user", "delete", name, "cli-User", "-f")
        assert "cli-User" not in run("databases", "user", "list", name).stdout

    def test_databases(self, cluster: Cluster, run: Run) -> None:
        name = cluster["name"]
        assert run("databases", "db", "create", name, "cli-db").stdout == "Name\ncli-db\n"
        assert "cli-db" in run("databases", "db", "list", name).stdout
        run("databases", "db", "delete", name, "cli-db", "-f")
        assert "cli-db" not in run("databases", "db", "list", name).stdout


class TestErrors:
    def test_the_apis_words_and_exit_code_1(self, cluster: Cluster, run: Run) -> None:
        line = ("databases", "pool", "create", cluster["name"], "big", "--size", "99", "--db",
                "defaultdb")  # fmt: skip
        done = run(*line, check=False)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("Error: size: asked for 99")
        assert done.stderr.count("\n") == 1
        [error] = json.loads(run(*line, "-o", "json", check=False).stdout)["errors"]
        assert "asked for 99" in error["detail"]

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (("-t", "0" * 64), "does not accept the token given with --access-token"),
            (("--ca-file", "/dev/null"), "cannot read the certificate in /dev/null"),
            (("-u", "https://127.0.0.1:1", "-t", "x"), "cannot reach https://127.0.0.1:1"),
        ],
    )
    def test_access(self, run: Run, flags: tuple[str, ...], message: str) -> None:
        done = run(*flags, "databases", "list", check=False)
        assert done.returncode == 1
        assert message in done.stderr
        assert done.stderr.count("\n") == 1

    def test_a_server_that_another_ca_vouches_for(self, plane: Plane, run: Run) -> None:
        elsewhere = plane.url.replace("127.0.0.1", "localhost")  # no context has this address
        done = run("-u", elsewhere, "-t", "x", "databases", "list", check=False)
        assert "is not the one that the system's certificates vouch for" in done.stderr


def test_events_name_who_did_what(cluster: Cluster, pool: str, run: Run) -> None:
    told = run("events", cluster["name"], "--format", "Actor,Kind,Subject", "--no-header").stdout
    assert ["local", "pool_create", pool] in [line.split() for line in told.splitlines()]
    assert len(run("events", "-n", "1", "--no-header").stdout.splitlines()) == 1


def test_the_api_shows_no_trace_of_the_cli_being_special(
    api: httpx.Client, cluster: Cluster, run: Run, read_json: Callable[..., Any]
) -> None:
    """What the CLI prints is what any client gets."""
    answer = api.get(f"/v2/databases/{cluster['id']}").json()["database"]
    assert read_json("databases", "get", cluster["name"]) == [answer]
