"""`poolkeeper databases pool`: connection pools, and how a change reaches their clients."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import typer

from poolkeeper.cli.client import Api, open_api
from poolkeeper.cli.commands.databases import Cluster, Force
from poolkeeper.cli.dialogue import confirm
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.grammar import VERB_ALIASES, Command, Group, TableCommand, make_group
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


class Pools(Group):
    """doctl's aliases, and one for the verb it does not have."""

    aliases: ClassVar[Mapping[str, str]] = {**VERB_ALIASES, "s": "status"}


app = make_group("Connection pools of a cluster.", cls=Pools)

POOLS = Table(
    (
        Column("User", "User", "user"),
        Column("Name", "Name", "name"),
        Column("Size", "Size", "size"),
        Column("Database", "Database", "db"),
        Column("Mode", "Mode", "mode"),
        Column("URI", "URI", lambda pool: (pool.get("connection") or {}).get("uri")),
    )
)

EFFECTS = {
    "live": "at once",
    "next-transaction": "with their next transaction",
    "new-connections": "new connections only",
}

Name = Annotated[str, typer.Argument(metavar="POOL", help="Name of the pool.")]
Mode = typer.Option(metavar="MODE", help="transaction, session or statement.")
Size = typer.Option(metavar="N", help="Most backend connections it may hold.")
Db = typer.Option(metavar="NAME", help="Database that it leads to.")
User = typer.Option(metavar="NAME", help="User that it works as; '' for each client's own.")


@app.command("list", cls=TableCommand)
def list_pools(ctx: typer.Context, cluster: Cluster) -> None:
    """List the pools of a cluster."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        found = api.get("v2", "databases", find_cluster_id(api, cluster), "pools")["pools"]
    print_items(invocation, POOLS, found)


@app.command("get", cls=TableCommand)
def get_pool(ctx: typer.Context, cluster: Cluster, pool: Name) -> None:
    """Show one pool of a cluster."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        found = _read_pool(api, find_cluster_id(api, cluster), pool)
    print_items(invocation, POOLS, [found])


@app.command("create", cls=TableCommand)
def create_pool(
    ctx: typer.Context,
    cluster: Cluster,
    pool: Name,
    size: Annotated[int, Size],
    db: Annotated[str, Db],
    mode: Annotated[str, Mode] = "transaction",
    user: Annotated[str, User] = "",
) -> None:
    """Create a pool; when this returns, clients can connect to it."""
    invocation = get_invocation(ctx)
    body = {"user": user, "name": pool, "size": size, "db": db, "mode": mode}
    with open_api(invocation) as api:
        cluster_id = find_cluster_id(api, cluster)
        created = api.post("v2", "databases", cluster_id, "pools", body=body)["pool"]
    print_items(invocation, POOLS, [created])


@app.command("update", cls=Command)
def update_pool(
    ctx: typer.Context,
    cluster: Cluster,
    pool: Name,
    size: Annotated[int | None, Size] = None,
    mode: Annotated[str | None, Mode] = None,
    db: Annotated[str | None, Db] = None,
    user: Annotated[str | None, User] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell the plan.")] = False,
) -> None:
    """Change what is given of a pool and leave the rest; no client is disconnected."""
    invocation = get_invocation(ctx)
    asked = {"size": size, "mode": mode, "db": db, "user": user}
    asked = {field: value for field, value in asked.items() if value is not None}
    if not asked:
        raise CommandFailed("say what to change: --size, --mode, --db or --user")
    with open_api(invocation) as api:
        cluster_id = find_cluster_id(api, cluster)
        plan = api.post("v1", "clusters", cluster_id, "pools", pool, "plan", body=asked)["plan"]
        if dry_run and invocation.wants_json:
            print_json(plan)
            return
        print(_describe_plan(plan), file=sys.stdout if dry_run else sys.stderr, end="")
        if dry_run or not plan["changes"]:
            return
        now = _read_pool(api, cluster_id, pool)
        body = {field: now[field] for field in ("size", "mode", "db", "user")} | asked
        api.put("v2", "databases", cluster_id, "pools", pool, body=body)


@app.command("delete", cls=Command)
def delete_pool(ctx: typer.Context, cluster: Cluster, pool: Name, force: Force = False) -> None:
    """Delete a pool: its clients may finish for some seconds, then they are cut."""
    with open_api(get_invocation(ctx)) as api:
        cluster_id = find_cluster_id(api, cluster)
        confirm(f"delete the pool {pool} of {cluster} and cut its clients?", force=force)
        api.delete("v2", "databases", cluster_id, "pools", pool)


@app.command("status", cls=Command)
def show_status(ctx: typer.Context, cluster: Cluster, pool: Name) -> None:
    """Show how a pool does: its phase, its connections, who waits."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        found = api.get("v1", "clusters", find_cluster_id(api, cluster), "pools", pool)["pool"]
    if invocation.wants_json:
        print_json(found)
    else:
        print_facts(_list_facts(found))


def _read_pool(api: Api, cluster_id: str, pool: str) -> Item:
    found: Item = api.get("v2", "databases", cluster_id, "pools", pool)["pool"]
    return found


def _describe_plan(plan: Mapping[str, Any]) -> str:
    """The changes, how each reaches connected clients, and what is left of the budget."""
    if not plan["changes"]:
        return "Nothing to change.\n"
    rows = [["Change", "From", "To", "How it reaches clients"]]
    for change in plan["changes"]:
        effect = EFFECTS.get(change["effect"], change["effect"])
        reaches = f"{effect}: {change['detail']}" if change["detail"] else effect
        rows.append([change["field"], str(change["from"]), str(change["to"]), reaches])
    budget, cut = plan["budget"], plan["disconnects"]
    return (
        format_table(rows)
        + f"Budget: {budget['total']} backend connections, {budget['held_by_others']} held by "
        f"other pools, {budget['asked']} asked for here, {budget['left']} left.\n"
        + f"Clients disconnected: {cut or 'none'}.\n"
        + "".join(f"Warning: {warning}\n" for warning in plan.get("warnings", ()))
    )


def _list_facts(pool: Item) -> list[tuple[str, object]]:
    waited = pool["maxwait_seconds"]
    return [
        ("Name", pool["name"]),
        ("Database", pool["db"]),
        ("User", pool["user"] or "(as the connecting user)"),
        ("Mode", pool["mode"]),
        ("Phase", pool["phase"]),
        ("Reason", pool["reason"]),
        ("Since", format_time(pool["since"])),
        ("Generation", f"{pool['generation']}, in force {pool['applied_generation']}"),
        ("Size", pool["size"]),
        ("Held", pool["held"]),
        ("Shares", pool["shares"]),
        ("Clients active", pool["clients_active"]),
        ("Clients waiting", pool["clients_waiting"]),
        ("Backends active", pool["backends_active"]),
        ("Backends idle", pool["backends_idle"]),
        ("Longest wait", None if waited is None else f"{waited:.1f} s"),
    ]
