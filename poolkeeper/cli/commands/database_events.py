"""`poolkeeper databases events`: what happened to a cluster, as doctl tells it.

`poolkeeper events` tells more, and of all clusters.
"""

from __future__ import annotations

import typer

from poolkeeper.cli.client import open_api
from poolkeeper.cli.commands.databases import Cluster
from poolkeeper.cli.grammar import TableCommand, make_group
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.lookup import find_cluster_id
from poolkeeper.cli.output import Column, Table, print_items

app = make_group("What happened to a cluster; `poolkeeper events` tells more.")


@app.callback()
def _group() -> None:
    """What happened to a cluster; `poolkeeper events` tells more."""
    # Without it, Typer would take a group of one command for that command.


EVENTS = Table(
    (
        Column("ID", "ID", "id"),
        Column("ClusterName", "Cluster Name", "cluster_name"),
        Column("EventType", "Type of Event", "event_type"),
        Column("CreateTime", "Create Time", "create_time"),
    )
)


@app.command("list", cls=TableCommand)
def list_events(ctx: typer.Context, cluster: Cluster) -> None:
    """List what happened to a cluster, the newest first."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        found = api.get("v2", "databases", find_cluster_id(api, cluster), "events")["events"]
    print_items(invocation, EVENTS, found)
