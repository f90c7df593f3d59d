"""`poolkeeper databases firewalls`: the trusted sources of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import typer

from poolkeeper.cli.client import Api, open_api
from poolkeeper.cli.commands.databases import Cluster
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.grammar import Group, TableCommand, make_group
from poolkeeper.cli.invocation import Invocation
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.lookup import find_cluster_id
from poolkeeper.cli.output import Column, Item, Table, print_items, print_notice


class Firewalls(Group):
    """doctl's verbs for rules, which it shortens in its own way."""

    aliases: ClassVar = {"a": "append", "ls": "list", "r": "replace", "rm": "remove"}


app = make_group("Trusted sources of a cluster: who may connect.", cls=Firewalls)

RULES = Table(
    (
        Column("UUID", "UUID", "uuid"),
        Column("ClusterUUID", "ClusterUUID", "cluster_uuid"),
        Column("Type", "Type", "type"),
        Column("Value", "Value", "value"),
    )
)

NewRule = Annotated[
    str, typer.Option("--rule", metavar="TYPE:VALUE", help="As in ip_addr:192.0.2.0/24.")
]
NewRules = Annotated[
    list[str],
    typer.Option(
        "--rule", metavar="TYPE:VALUE,…", help="As in ip_addr:192.0.2.0/24; may be repeated."
    ),
]
RuleId = Annotated[str, typer.Option("--uuid", metavar="UUID", help="The rule's, as listed.")]


@app.command("list", cls=TableCommand)
def list_rules(ctx: typer.Context, cluster: Cluster) -> None:
    """List the trusted sources of a cluster. None: it is open."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        print_items(invocation, RULES, _read(api, find_cluster_id(api, cluster)))


@app.command("append", cls=TableCommand)
def append_rule(ctx: typer.Context, cluster: Cluster, rule: NewRule) -> None:
    """Trust one source more. The first closes the cluster to all others, and cuts them."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        cluster_id = find_cluster_id(api, cluster)
        _replace(invocation, api, cluster_id, [*_read(api, cluster_id), _parse(rule)])


@app.command("replace", cls=TableCommand)
def replace_rules(ctx: typer.Context, cluster: Cluster, rule: NewRules) -> None:
    """Trust these sources and no others; clients from elsewhere are cut."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        cluster_id = find_cluster_id(api, cluster)
        given = [_parse(each) for text in rule for each in text.split(",")]
        _replace(invocation, api, cluster_id, given)


@app.command("remove", cls=TableCommand)
def remove_rule(ctx: typer.Context, cluster: Cluster, uuid: RuleId) -> None:
    """Trust one source less, and cut its clients. Without the last, the cluster is open."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        cluster_id = find_cluster_id(api, cluster)
        before = _read(api, cluster_id)
        after = [rule for rule in before if rule["uuid"] != uuid]
        if len(after) == len(before):
            raise CommandFailed(
                f"there is no rule {uuid!r}; see `poolkeeper databases firewalls list {cluster}`"
            )
        _replace(invocation, api, cluster_id, after)


def _read(api: Api, cluster_id: str) -> list[Item]:
    found: list[Item] = api.get("v2", "databases", cluster_id, "firewall")["rules"]
    return found


def _replace(invocation: Invocation, api: Api, cluster_id: str, rules: Sequence[Item]) -> None:
    api.put("v2", "databases", cluster_id, "firewall", body={"rules": [*rules]})
    after = _read(api, cluster_id)
    if not after:
        print_notice("there are no rules: whoever reaches the cluster's ports may connect")
    elif all(rule["type"] != "ip_addr" for rule in after):
        print_notice("no rule is of type ip_addr: nobody may connect over the network")
    print_items(invocation, RULES, after)


def _parse(text: str) -> Item:
    kind, colon, value = text.strip().partition(":")
    if not colon or not kind or not value:
        raise CommandFailed(
            f"unexpected input {text!r}: a rule is a type and a value, as in ip_addr:192.0.2.0/24"
        )
    return {"type": kind, "value": value}
