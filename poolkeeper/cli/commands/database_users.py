"""`poolkeeper databases user`: the users of a cluster."""

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

app = make_group("Users of a cluster.")

USERS = Table(
    (
        Column("Name", "Name", "name"),
        Column("Role", "Role", "role"),
        Column("Password", "Password", "password"),
    )
)

Name = Annotated[str, typer.Argument(metavar="USER", help="Name of the user.")]


@app.command("list", cls=TableCommand)
def list_users(ctx: typer.Context, cluster: Cluster) -> None:
    """List the users of a cluster."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        found = api.get("v2", "databases", find_cluster_id(api, cluster), "users")["users"]
    print_items(invocation, USERS, found)


@app.command("get", cls=TableCommand)
def get_user(ctx: typer.Context, cluster: Cluster, name: Name) -> None:
    """Show one user of a cluster."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        found = api.get("v2", "databases", find_cluster_id(api, cluster), "users", name)["user"]
    print_items(invocation, USERS, [found])


@app.command("create", cls=TableCommand)
def create_user(ctx: typer.Context, cluster: Cluster, name: Name) -> None:
    """Create a user, with a password made for it."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        cluster_id = find_cluster_id(api, cluster)
        created = api.post("v2", "databases", cluster_id, "users", body={"name": name})["user"]
    print_items(invocation, USERS, [created])


@app.command("delete", cls=Command)
def delete_user(ctx: typer.Context, cluster: Cluster, name: Name, force: Force = False) -> None:
    """Delete a user."""
    with open_api(get_invocation(ctx)) as api:
        cluster_id = find_cluster_id(api, cluster)
        confirm(f"delete the user {name} of {cluster}?", force=force)
        api.delete("v2", "databases", cluster_id, "users", name)


@app.command("reset", cls=TableCommand)
def reset_user(ctx: typer.Context, cluster: Cluster, name: Name) -> None:
    """Give a user a new password and show it; connected clients stay connected."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        path = ("v2", "databases", find_cluster_id(api, cluster), "users", name, "reset_auth")
        user = api.post(*path, body={})["user"]
    print_items(invocation, USERS, [user])
