"""`poolkeeper databases storage-autoscale`: when a cluster's storage is to grow."""

from __future__ import annotations

from typing import Annotated

import typer

from poolkeeper.cli.client import open_api
from poolkeeper.cli.commands.databases import Cluster
from poolkeeper.cli.grammar import Command, TableCommand, make_group
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.lookup import find_cluster_id
from poolkeeper.cli.output import Column, Table, print_item

app = make_group("When a cluster's storage is to grow: kept, and shown.")

AUTOSCALE = Table(
    (
        Column("Enabled", "Enabled", "enabled"),
        Column("ThresholdPercent", "Threshold Percent", "threshold_percent"),
        Column("IncrementGib", "Increment GiB", "increment_gib"),
    )
)

Enabled = Annotated[
    str, typer.Option("--enabled", metavar="true|false", help="Whether it is to grow.")
]
Threshold = Annotated[
    int, typer.Option("--threshold-percent", metavar="N", help="How full is full, 15 to 95.")
]
Increment = Annotated[
    int, typer.Option("--increment-gib", metavar="N", help="By how much it grows, 10 to 500.")
]

_WORDS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


@app.command("get", cls=TableCommand)
def get_autoscale(ctx: typer.Context, cluster: Cluster) -> None:
    """Show when the storage of a cluster is to grow."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        found = api.get("v2", "databases", find_cluster_id(api, cluster), "autoscale")["storage"]
    print_item(invocation, AUTOSCALE, found)


@app.command("update", cls=Command)
def update_autoscale(
    ctx: typer.Context,
    cluster: Cluster,
    enabled: Enabled,
    threshold_percent: Threshold = 80,
    increment_gib: Increment = 10,
) -> None:
    """Set when the storage of a cluster is to grow. The disk is the host's own, and does not."""
    storage = {
        "enabled": _read_flag(enabled),
        "threshold_percent": threshold_percent,
        "increment_gib": increment_gib,
    }
    with open_api(get_invocation(ctx)) as api:
        cluster_id = find_cluster_id(api, cluster)
        api.put("v2", "databases", cluster_id, "autoscale", body={"storage": storage})


def _read_flag(text: str) -> bool:
    """Go takes these words for a boolean flag."""
    value = _WORDS.get(text.lower())
    if value is None:
        raise typer.BadParameter(f"{text!r} is neither true nor false", param_hint="--enabled")
    return value
