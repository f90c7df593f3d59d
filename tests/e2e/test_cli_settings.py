"""`databases storage-autoscale` and `databases events`, as doctl has them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.plane import Plane

Cluster = Mapping[str, Any]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(plane: Plane) -> Run:
    """One command line that must succeed unless told otherwise."""
    return plane.run


def test_autoscale_is_set_and_shown(cluster: Cluster, run: Run) -> None:
    group = ("databases", "storage-autoscale")
    set_it = run(*group, "update", cluster["name"], "--enabled=true", "--threshold-percent", "70")
    assert (set_it.stdout, set_it.stderr) == ("", "")
    shown = run(*group, "get", cluster["id"]).stdout
    assert shown == (
        "Enabled    Threshold Percent    Increment GiB\ntrue       70                   10\n"
    )
    run(*group, "update", cluster["id"], "--enabled", "false", "--increment-gib", "20")
    found = json.loads(run(*group, "get", cluster["name"], "-o", "json").stdout)
    assert found == {"enabled": False, "threshold_percent": 80, "increment_gib": 20}


def test_autoscale_that_cannot_be(cluster: Cluster, run: Run) -> None:
    update = ("databases", "storage-autoscale", "update", cluster["name"])
    missing = run(*update, check=False)
    assert missing.returncode == 1
    assert "(storage-autoscale.update.enabled) command is missing required" in missing.stderr
    wrong = run(*update, "--enabled=maybe", check=False)
    assert (wrong.returncode, "'maybe' is neither true nor false" in wrong.stderr) == (255, True)
    refused = run(*update, "--enabled=true", "--threshold-percent", "99", check=False)
    assert refused.returncode == 1
    assert "99 is not a number from 15 to 95" in refused.stderr


def test_events_are_listed_as_doctl_does(cluster: Cluster, run: Run) -> None:
    listed = run("databases", "events", "list", cluster["name"]).stdout.splitlines()
    assert [cell.strip() for cell in listed[0].split("    ") if cell] == [
        *("ID", "Cluster Name", "Type of Event", "Create Time")
    ]
    assert listed[-1].split()[1:3] == [cluster["name"], "cluster_create"]
    found = json.loads(run("d", "events", "ls", cluster["id"], "-o", "json").stdout)
    assert [event["event_type"] for event in found][-1] == "cluster_create"
    # Ours, of the same name, is another command, and tells more.
    assert "Actor" in run("events", cluster["name"]).stdout
