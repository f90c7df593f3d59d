"""`poolkeeper clusters`: what Poolkeeper itself knows of clusters, beyond DigitalOcean's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import typer

from poolkeeper.cli.client import open_api
from poolkeeper.cli.commands.databases import Cluster
from poolkeeper.cli.grammar import VERB_ALIASES, Command, Group, TableCommand, make_group
from poolkeeper.cli.invocation import Invocation
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.lookup import find_cluster_id
from poolkeeper.cli.output import (
    Column,
    Item,
    Table,
    format_table,
    format_time,
    print_facts,
    print_items,
    print_json,
)


class Clusters(Group):
    """The verbs' aliases, and one for `status`."""

    aliases: ClassVar[Mapping[str, str]] = {**VERB_ALIASES, "s": "status"}


app = make_group(
    "What Poolkeeper knows of clusters: phases, processes, budgets. To create, change and delete "
    "clusters see `poolkeeper databases`.",
    cls=Clusters,
)


def _budget(field: str) -> Any:
    return lambda cluster: cluster["budget"][field]


_COLUMNS = (
    Column("ID", "ID", "id"),
    Column("Name", "Name", "name"),
    Column("Phase", "Phase", "phase"),
    Column("Generation", "Generation", "generation"),
    Column("Applied", "Applied", "applied_generation"),
    Column("Pools", "Pools", lambda cluster: len(cluster["pools"])),
    Column("Budget", "Budget", _budget("total")),
    Column("Held", "Held", _budget("held")),
    Column("Free", "Free", _budget("free")),
    Column("Reason", "Reason", "reason"),
    Column("Since", "Since", lambda cluster: format_time(cluster["since"])),
    Column("Step", "Step", "step"),
)
CLUSTERS = Table(_COLUMNS)
CLUSTER_LIST = Table(_COLUMNS, tuple(column.key for column in _COLUMNS[:-2]))


@app.command("list", cls=TableCommand)
def list_clusters(ctx: typer.Context) -> None:
    """List the clusters with their phases and budgets."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        print_items(invocation, CLUSTER_LIST, api.get("v1", "clusters")["clusters"])


@app.command("get", cls=TableCommand)
def get_cluster(ctx: typer.Context, cluster: Cluster) -> None:
    """Show one cluster with its phase and budget."""
    invocation = get_invocation(ctx)
    print_items(invocation, CLUSTERS, [_read_cluster(invocation, cluster)])


@app.command("status", cls=Command)
def show_status(ctx: typer.Context, cluster: Cluster) -> None:
    """Show a cluster with its processes and pools."""
    invocation = get_invocation(ctx)
    found = _read_cluster(invocation, cluster)
    if invocation.wants_json:
        print_json(found)
        return
    print_facts(_list_facts(found))
    for title, rows in (("Processes", _list_processes(found)), ("Pools", _list_pools(found))):
        if len(rows) > 1:
            print(f"\n{title}")
            print(format_table(rows), end="")


def _read_cluster(invocation: Invocation, name_or_id: str) -> Item:
    with open_api(invocation) as api:
        found: Item = api.get("v1", "clusters", find_cluster_id(api, name_or_id))["cluster"]
    return found


def _list_facts(cluster: Item) -> list[tuple[str, object]]:
    budget = cluster["budget"]
    return [
        ("Name", cluster["name"]),
        ("ID", cluster["id"]),
        ("Phase", cluster["phase"]),
        *([("Reason", cluster["reason"])] if cluster["reason"] else []),
        *([("Step", cluster["step"])] if cluster["step"] else []),
        ("Since", format_time(cluster["since"])),
        ("Generation", f"{cluster['generation']}, in force {cluster['applied_generation']}"),
        ("Budget", f"{budget['total']} backends: {budget['held']} held, {budget['free']} free"),
    ]


def _list_processes(cluster: Item) -> list[list[str]]:
    rows = [["Process", "PID", "Version", "Port", "Started"]]
    for process in cluster["processes"]:
        name = process["kind"]
        if name == "pgbouncer":
            name += f" {process['index']}"
        started = format_time(process["started_at"])
        rows.append([name, str(process["pid"]), process["version"], str(process["port"]), started])
    return rows


def _list_pools(cluster: Item) -> list[list[str]]:
    rows = [["Pool", "Mode", "Database", "User", "Size", "Phase", "Clients", "Waiting", "Backends"]]
    for pool in cluster["pools"]:
        rows.append(
            [
                pool["name"],
                pool["mode"],
                pool["db"],
                pool["user"],
                str(pool["size"]),
                pool["phase"],
                _count(pool["clients_active"]),
                _count(pool["clients_waiting"]),
                _count(pool["backends_active"]),
            ]
        )
    return rows


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)
