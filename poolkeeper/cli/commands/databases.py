"""`poolkeeper databases`: clusters, with doctl's verbs, flags and columns."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from poolkeeper.cli.client import Api, open_api
from poolkeeper.cli.dialogue import confirm, show_progress
from poolkeeper.cli.errors import ApiFailed, CommandFailed
from poolkeeper.cli.grammar import VERB_ALIASES, Command, Entry, Group, TableCommand, make_group
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.lookup import find_cluster, find_cluster_id
from poolkeeper.cli.output import (
    Column,
    Item,
    Table,
    format_time,
    print_item,
    print_items,
    print_notice,
)

POLL_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 1800.0


class Databases(Group):
    """Clusters here, the things inside them in modules of their own."""

    aliases: ClassVar[Mapping[str, str]] = {
        **VERB_ALIASES,
        "fw": "firewalls",
        "cfg": "configuration",
        "config": "configuration",
        "maintenance": "maintenance-window",
        "main": "maintenance-window",
        "mw": "maintenance-window",
        "o": "options",
        "p": "pool",
        "rs": "resize",
        "u": "user",
    }
    entries: ClassVar[Mapping[str, Entry]] = {
        "pool": Entry("poolkeeper.cli.commands.database_pools", "Connection pools of a cluster."),
        "user": Entry("poolkeeper.cli.commands.database_users", "Users of a cluster."),
        "db": Entry("poolkeeper.cli.commands.database_dbs", "Databases of a cluster."),
        "firewalls": Entry(
            "poolkeeper.cli.commands.database_firewalls", "Trusted sources: who may connect."
        ),
        "configuration": Entry(
            "poolkeeper.cli.commands.database_configuration", "Settings of a cluster's servers."
        ),
        "events": Entry("poolkeeper.cli.commands.database_events", "What happened to a cluster."),
        "storage-autoscale": Entry(
            "poolkeeper.cli.commands.database_autoscale", "When a cluster's storage is to grow."
        ),
        "maintenance-window": Entry(
            "poolkeeper.cli.commands.database_maintenance",
            "When PostgreSQL may be restarted, and for what.",
        ),
        "options": Entry(
            "poolkeeper.cli.commands.database_options", "Engines, versions, sizes and regions."
        ),
    }


app = make_group("Clusters, pools, users and databases, as doctl has them.", cls=Databases)

_COLUMNS = (
    Column("ID", "ID", "id"),
    Column("Name", "Name", "name"),
    Column("Engine", "Engine", "engine"),
    Column("Version", "Version", "version"),
    Column("NumNodes", "Number of Nodes", "num_nodes"),
    Column("Region", "Region", "region"),
    Column("Status", "Status", "status"),
    Column("Size", "Size", "size"),
    Column("URI", "URI", lambda cluster: (cluster.get("connection") or {}).get("uri")),
    Column("Created", "Created At", lambda cluster: format_time(cluster.get("created_at"))),
    Column("StorageMib", "Storage (MiB)", "storage_size_mib"),
)
CLUSTERS = Table(_COLUMNS)
CLUSTER_LIST = Table(
    _COLUMNS,
    tuple(column.key for column in _COLUMNS if column.key not in ("URI", "Created")),
)
CONNECTION = Table(
    (
        Column("URI", "URI", "uri"),
        Column("Database", "Database", "database"),
        Column("Host", "Host", "host"),
        Column("Port", "Port", "port"),
        Column("User", "User", "user"),
        Column("Password", "Password", "password"),
        Column("SSL", "SSL Required", "ssl"),
    )
)

Cluster = Annotated[str, typer.Argument(metavar="CLUSTER", help="Name or id of the cluster.")]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the new cluster.")]
EngineFlag = Annotated[str, typer.Option(metavar="ENGINE", help="The engine.")]
VersionFlag = Annotated[str, typer.Option(metavar="MAJOR", help="Version of PostgreSQL.")]
NodesFlag = Annotated[int, typer.Option(metavar="N", help="Number of nodes.")]
RegionFlag = Annotated[str, typer.Option(metavar="REGION", help="The region.")]
SizeFlag = Annotated[str, typer.Option(metavar="SLUG", help="Size: memory and connections.")]
StorageFlag = Annotated[int, typer.Option(metavar="MIB", help="Disk space; 0: the size's own.")]
NetworkFlag = Annotated[str, typer.Option(metavar="UUID", help="The private network.")]
TagFlag = Annotated[list[str] | None, typer.Option(metavar="TAG,…", help="Tags to set.")]
WaitFlag = Annotated[bool, typer.Option("--wait", help="Return when it is online.")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Delete without asking.")]


@app.command("list", cls=TableCommand)
def list_clusters(ctx: typer.Context) -> None:
    """List the clusters."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        print_items(invocation, CLUSTER_LIST, api.get("v2", "databases")["databases"])


@app.command("get", cls=TableCommand)
def get_cluster(ctx: typer.Context, cluster: Cluster) -> None:
    """Show one cluster."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        print_items(invocation, CLUSTERS, [find_cluster(api, cluster)])


@app.command("create", cls=TableCommand)
def create_cluster(
    ctx: typer.Context,
    name: NewName,
    engine: EngineFlag = "pg",
    version: VersionFlag = "",
    num_nodes: NodesFlag = 1,
    region: RegionFlag = "nyc1",
    size: SizeFlag = "db-s-1vcpu-1gb",
    storage_size_mib: StorageFlag = 0,
    private_network_uuid: NetworkFlag = "",
    tag: TagFlag = None,
    wait: WaitFlag = False,
) -> None:
    """Create a cluster."""
    invocation = get_invocation(ctx)
    body: dict[str, object] = {
        "name": name,
        "engine": engine,
        "version": version,
        "num_nodes": num_nodes,
        "region": region,
        "size": size,
        "private_network_uuid": private_network_uuid,
        "tags": [part for text in tag or [] for part in text.split(",")],
    }
    if storage_size_mib:
        body["storage_size_mib"] = storage_size_mib
    with open_api(invocation) as api:
        created: Item = api.post("v2", "databases", body=body)["database"]
        if wait:
            created = _wait_online(api, created, "Creating")
    print_notice("Database created")
    print_items(invocation, CLUSTERS, [created])


@app.command("resize", cls=Command)
def resize_cluster(
    ctx: typer.Context,
    cluster: Cluster,
    num_nodes: NodesFlag,
    size: SizeFlag,
    storage_size_mib: StorageFlag = 0,
    wait: WaitFlag = False,
) -> None:
    """Give a cluster another size; clients of pools wait while PostgreSQL is restarted."""
    body: dict[str, object] = {"size": size, "num_nodes": num_nodes}
    if storage_size_mib:
        body["storage_size_mib"] = storage_size_mib
    with open_api(get_invocation(ctx)) as api:
        found = find_cluster(api, cluster)
        api.put("v2", "databases", found["id"], "resize", body=body)
        if not wait:
            return
        _wait_online(api, found, "Resizing")
        reason = _read_state(api, found["id"]).get("reason")
        if reason:
            print_notice(str(reason))


@app.command("delete", cls=Command)
def delete_cluster(ctx: typer.Context, cluster: Cluster, force: Force = False) -> None:
    """Delete a cluster with all that is in it."""
    with open_api(get_invocation(ctx)) as api:
        if force:
            api.delete("v2", "databases", find_cluster_id(api, cluster))
            return
        found = find_cluster(api, cluster)
        confirm(
            f"this deletes the cluster {found['name']} with its databases, and cuts its clients.",
            force=False,
            phrase=found["name"],
        )
        api.delete("v2", "databases", found["id"])


@app.command("connection", cls=TableCommand)
def get_connection(
    ctx: typer.Context,
    cluster: Cluster,
    private: Annotated[bool, typer.Option("--private", help="On the private network.")] = False,
) -> None:
    """Show how to connect to a cluster itself, past its pools."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        found = find_cluster(api, cluster)
    connection = found.get("private_connection" if private else "connection")
    if not connection:
        raise CommandFailed(f"the cluster {found['name']} has no private connection")
    print_item(invocation, CONNECTION, connection)


@app.command("get-ca", cls=TableCommand)
def get_ca(ctx: typer.Context, cluster: Cluster) -> None:
    """Print the certificate that the cluster's servers are verified by."""
    import base64

    invocation = get_invocation(ctx)
    table = Table(
        (
            Column(
                "Certificate",
                "Certificate",
                lambda ca: base64.b64decode(ca["certificate"]).decode().rstrip("\n"),
            ),
        )
    )
    with open_api(invocation) as api:
        ca = api.get("v2", "databases", find_cluster_id(api, cluster), "ca")["ca"]
    print_item(invocation, table, ca)


def _wait_online(api: Api, created: Item, doing: str) -> Item:
    """The cluster once it is online, with the connection that was told before."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    with show_progress(f"{doing} {created['name']}") as tell:
        while time.monotonic() < deadline:
            current: Item = api.get("v2", "databases", created["id"])["database"]
            if current["status"] == "online":
                return {**current, "connection": created["connection"]}
            state = _read_state(api, created["id"])
            if state.get("phase") in ("failed", "parked"):
                raise CommandFailed(
                    f"database couldn't enter the `online` state: {state.get('reason')}; "
                    f"see `poolkeeper logs {created['name']}`"
                )
            now = state.get("step") or state.get("reason") or current["status"]
            tell(f"{doing} {created['name']}: {now}")
            time.sleep(POLL_SECONDS)
    raise CommandFailed(
        f"database couldn't enter the `online` state in {LONGEST_WAIT_SECONDS / 60:.0f} minutes; "
        f"look with `poolkeeper clusters status {created['name']}`"
    )


def _read_state(api: Api, cluster_id: str) -> Item:
    """What Poolkeeper says of the progress; nothing if this API is another's."""
    try:
        state: Item = api.get("v1", "clusters", cluster_id)["cluster"]
    except ApiFailed:
        return {}
    return state
