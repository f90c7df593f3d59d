"""Resizing and maintenance with the CLI, as doctl has them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.plane import Plane, create_cluster

Run = Callable[..., subprocess.CompletedProcess[str]]

NAME = "cli-resized"
WINDOW = ("databases", "maintenance-window")


@pytest.fixture(scope="module")
def resized(api: httpx.Client) -> Iterator[str]:
    """The address of a cluster that is resized."""
    address = f"/v2/databases/{create_cluster(api, NAME)['id']}"
    yield address
    api.delete(address)


@pytest.fixture
def run(plane: Plane, resized: str) -> Run:
    """One command line that must succeed unless told otherwise; nobody is at a terminal."""

    def run_command(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return plane.run(*arguments, **({"stdin": subprocess.DEVNULL} | more))

    return run_command


def test_resize_waits_until_it_is_online(api: httpx.Client, resized: str, run: Run) -> None:
    more = ("--num-nodes", "1", "--size", "db-s-1vcpu-2gb", "--wait")
    done = run("databases", "resize", NAME, *more)
    assert (done.stdout, "Notice" in done.stderr) == ("", False)
    cluster = api.get(resized).json()["database"]
    assert (cluster["size"], cluster["status"]) == ("db-s-1vcpu-2gb", "online")
    run("databases", "rs", NAME, "--num-nodes", "1", "--size", "db-s-1vcpu-2gb",
        "--storage-size-mib", "40960")  # fmt: skip
    assert api.get(resized).json()["database"]["storage_size_mib"] == 40960


def test_what_cannot_be_is_told(run: Run) -> None:
    size = ("--num-nodes", "1", "--size", "db-s-1vcpu-2gb")
    refused = run("databases", "resize", NAME, *size, "--storage-size-mib", "1", check=False)
    assert refused.returncode == 1
    assert "storage cannot shrink" in refused.stderr
    missing = run("databases", "resize", NAME, "--num-nodes", "1", check=False)
    assert missing.returncode != 0
    assert "--size" in missing.stderr


def test_the_window(api: httpx.Client, resized: str, run: Run) -> None:
    run(*WINDOW, "update", NAME, "--day", "Tuesday", "--hour", "04:30")
    lines = run(*WINDOW, "get", NAME).stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["Day", "Hour", "Pending"],
        ["tuesday", "04:30:00", "false"],
    ]
    shown = json.loads(run(*WINDOW, "get", NAME, "-o", "json").stdout)
    assert shown == api.get(resized).json()["database"]["maintenance_window"]
    wrong = run(*WINDOW, "update", NAME, "--day", "someday", "--hour", "04:30", check=False)
    assert (wrong.returncode, "someday" in wrong.stderr) == (1, True)


def test_install(api: httpx.Client, resized: str, run: Run) -> None:
    assert "Nothing waits" in run(*WINDOW, "install", NAME).stderr
    config = {"config": {"max_worker_processes": 40}}
    assert api.patch(f"{resized}/config", json=config).status_code == 200
    lines = run(*WINDOW, "get", NAME, "--format", "Pending,Description", "--no-header").stdout
    assert lines.split(maxsplit=1) == [
        "true",
        "restart PostgreSQL to apply max_worker_processes\n",
    ]
    assert run(*WINDOW, "install", NAME).stderr == ""
