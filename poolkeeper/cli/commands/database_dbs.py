"""`poolkeeper databases db`: the databases of a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from poolkeeper.cli.client import open_api
from poolkeeper.cli.commands.databases import Cluster, Force
from poolkeeper.cli.dialogue import confirm
from poolkeeper.cli.grammar import Command, TableCommand, make_group
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.lookup import find_cluster_id
from poolkeeper.cli.output import Column, Table, print_items

app = make_group("Databases of a cluster.")

DATABASES = Table((Column("Name", "Name", "name"),))

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the database.")]


@app.command("list", cls=TableCommand)
def list_databases(ctx: typer.Context, cluster: Cluster) -> None:
    """List the databases of a cluster."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        found = api.get("v2", "databases", find_cluster_id(api, cluster), "dbs")["dbs"]
    print_items(invocation, DATABASES, found)


@app.command("get", cls=TableCommand)
def get_database(ctx: typer.Context, cluster: Cluster, name: Name) -> None:
    """Show one database of a cluster."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        found = api.get("v2", "databases", find_cluster_id(api, cluster), "dbs", name)["db"]
    print_items(invocation, DATABASES, [found])


@app.command("create", cls=TableCommand)
def create_database(ctx: typer.Context, cluster: Cluster, name: Name) -> None:
    """Create a database in a cluster."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        cluster_id = find_cluster_id(api, cluster)
        created = api.post("v2", "databases", cluster_id, "dbs", body={"name": name})["db"]
    print_items(invocation, DATABASES, [created])


@app.command("delete", cls=Command)
def delete_database(ctx: typer.Context, cluster: Cluster, name: Name, force: Force = False) -> None:
    """Delete a database with all that is in it."""
    with open_api(get_invocation(ctx)) as api:
        cluster_id = find_cluster_id(api, cluster)
        confirm(f"delete the database {name} of {cluster} with its data?", force=force)
        api.delete("v2", "databases", cluster_id, "dbs", name)
