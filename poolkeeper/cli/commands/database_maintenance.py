"""`poolkeeper databases maintenance-window`: when PostgreSQL may be restarted, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from poolkeeper.cli.client import open_api
from poolkeeper.cli.commands.databases import Cluster
from poolkeeper.cli.grammar import VERB_ALIASES, Command, Group, TableCommand, make_group
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.lookup import find_cluster, find_cluster_id
from poolkeeper.cli.output import Column, Table, print_item, print_notice


class MaintenanceWindow(Group):
    """doctl's aliases."""

    aliases: ClassVar[Mapping[str, str]] = {**VERB_ALIASES, "i": "install"}


app = make_group("When PostgreSQL may be restarted, and for what.", cls=MaintenanceWindow)

WINDOW = Table(
    (
        Column("Day", "Day", "day"),
        Column("Hour", "Hour", "hour"),
        Column("Pending", "Pending", "pending"),
        Column("Description", "Description", "description"),
    ),
    ("Day", "Hour", "Pending"),
)

DayFlag = Annotated[str, typer.Option(metavar="DAY", help="Day of the week, such as tuesday.")]
HourFlag = Annotated[str, typer.Option(metavar="HH:MM", help="Time of the day, in UTC.")]


@app.command("get", cls=TableCommand)
def get_window(ctx: typer.Context, cluster: Cluster) -> None:
    """Show when the window opens, for four hours, and whether anything waits for it."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        window = find_cluster(api, cluster)["maintenance_window"]
    print_item(invocation, WINDOW, window)


@app.command("update", cls=Command)
def update_window(ctx: typer.Context, cluster: Cluster, day: DayFlag, hour: HourFlag) -> None:
    """Choose when the window opens."""
    with open_api(get_invocation(ctx)) as api:
        cluster_id = find_cluster_id(api, cluster)
        api.put("v2", "databases", cluster_id, "maintenance", body={"day": day, "hour": hour})


@app.command("install", cls=Command)
def install_update(ctx: typer.Context, cluster: Cluster) -> None:
    """Put in force now what waits for the window; clients of pools wait for a moment."""
    with open_api(get_invocation(ctx)) as api:
        found = find_cluster(api, cluster)
        if not found["maintenance_window"]["pending"]:
            print_notice("Nothing waits for a restart")
        api.put("v2", "databases", found["id"], "install_update", body={})
