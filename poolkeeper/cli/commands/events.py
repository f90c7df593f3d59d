"""`poolkeeper events`: the audit trail."""

from __future__ import annotations

from typing import Annotated

import typer

from poolkeeper.cli.client import open_api
from poolkeeper.cli.grammar import TableCommand, make_command
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.lookup import find_cluster_id
from poolkeeper.cli.output import Column, Item, Table, format_cell, format_time, print_items

app = make_command()


def _describe(event: Item) -> str:
    """``size=5→8``, where the entry says what was before; else all that it says. Nothing
    follows what is no more."""
    detail = dict(event["detail"])
    before = detail.pop("before", {})
    words = [
        f"{name}={format_cell(before[name])}→{format_cell(value)}"
        if name in before
        else f"{name}={format_cell(value)}"
        for name, value in detail.items()
        if before.get(name, ...) != value
    ]
    words += [f"{name}={format_cell(before[name])}→" for name in before if name not in detail]
    return " ".join(words)


EVENTS = Table(
    (
        Column("ID", "ID", "id"),
        Column("At", "At", lambda event: format_time(event["at"])),
        Column("Actor", "Actor", "actor"),
        Column("Kind", "Kind", "kind"),
        Column("Cluster", "Cluster", "cluster_name"),
        Column("Subject", "Subject", "subject"),
        Column("Detail", "Detail", _describe),
        Column("AppliedMs", "Applied (ms)", "applied_ms"),
        Column("ClusterID", "Cluster ID", "cluster_id"),
    ),
    ("At", "Actor", "Kind", "Cluster", "Subject", "Detail"),
)


@app.command(cls=TableCommand)
def events(
    ctx: typer.Context,
    cluster: Annotated[
        str | None, typer.Argument(metavar="CLUSTER", help="Only this cluster's.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", help="At most so many.")] = 50,
) -> None:
    """Print who changed what, and what Poolkeeper did by itself, the newest first."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        cluster_id = find_cluster_id(api, cluster) if cluster else None
        found = api.get("v1", "events", cluster_id=cluster_id, limit=limit)["events"]
    print_items(invocation, EVENTS, found)
