"""`poolkeeper status`: what runs on this machine, and where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from poolkeeper.cli.client import Api
from poolkeeper.cli.contexts import read_api_file, read_local
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.grammar import Command, make_command
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.output import format_table, print_facts, print_json
from poolkeeper.settings import find_state_dir, read_environment

NOT_RUNNING = 1

app = make_command()


@app.command(cls=Command)
def status(ctx: typer.Context) -> None:
    """Tell what runs on this machine, and where; exits with 1 when nothing does.

    The fingerprint is what `poolkeeper auth init` shows elsewhere on a first visit.
    """
    invocation = get_invocation(ctx)
    found = read_status(find_state_dir(invocation.list_flags(), read_environment()))
    if invocation.wants_json:
        print_json(found)
    else:
        _print_status(found)
    if not found["running"]:
        raise typer.Exit(NOT_RUNNING)


def read_status(state_dir: Path) -> dict[str, Any]:
    """What is known; `api` and the rest are null when the control plane does not run."""
    written = read_api_file(state_dir) or {}
    problem, answer = None, None
    if written:
        try:
            answer = _ask_api(state_dir)
        except CommandFailed as failed:
            problem = str(failed)
    pid = written["pid"] if answer else _find_holder(state_dir)
    if pid is None:
        written, problem = {}, None  # left behind by a process that was killed
    return {
        "running": pid is not None,
        "state_dir": str(state_dir),
        "pid": pid,
        **{name: written.get(name) for name in ("api", "token_file", "ca_file")},
        "problem": problem,
        **(answer or {"version": None, "fingerprint": None, "clusters": []}),
    }


def _find_holder(state_dir: Path) -> int | None:
    from poolkeeper.control_plane.state_lock import find_holder

    return find_holder(state_dir)


def _ask_api(state_dir: Path) -> dict[str, Any]:
    from poolkeeper.cli.trust import fetch_certificate, format_fingerprint

    place = read_local(state_dir)
    with Api(place) as api:
        version = api.get("v1", "health")["version"]
        clusters = api.get("v1", "clusters")["clusters"]
    return {
        "version": version,
        "fingerprint": format_fingerprint(fetch_certificate(place.api)),
        "clusters": clusters,
    }


def _print_status(found: Mapping[str, Any]) -> None:
    if not found["running"]:
        print(f"Poolkeeper does not run in {found['state_dir']}: start it with `poolkeeper up`.")
        return
    print_facts(
        [
            ("Process", found["pid"]),
            ("Version", found["version"]),
            ("State", found["state_dir"]),
            ("API", found["api"] or "(starting)"),
            ("Token", found["token_file"]),
            ("CA", found["ca_file"]),
            ("Fingerprint", found["fingerprint"]),
            *([("Problem", found["problem"])] if found["problem"] else []),
        ]
    )
    if found["clusters"]:
        rows = [["Cluster", "Phase", "Pools", "Budget", "Reason"]]
        rows += [_list_cells(cluster) for cluster in found["clusters"]]
        print("\n" + format_table(rows), end="")


def _list_cells(cluster: Mapping[str, Any]) -> list[str]:
    budget = cluster["budget"]
    held = f"{budget['held']} of {budget['total']}"
    return [cluster["name"], cluster["phase"], str(len(cluster["pools"])), held, cluster["reason"]]
