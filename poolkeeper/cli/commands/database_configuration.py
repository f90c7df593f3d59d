"""`poolkeeper databases configuration`: settings of a cluster's PostgreSQL and PgBouncer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import typer

from poolkeeper.cli.client import open_api
from poolkeeper.cli.commands.databases import Cluster
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.grammar import VERB_ALIASES, Command, Group, TableCommand, make_group
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.lookup import find_cluster_id
from poolkeeper.cli.output import Column, Item, Table, print_items, print_json


class Configuration(Group):
    """doctl's aliases."""

    aliases: ClassVar[Mapping[str, str]] = VERB_ALIASES


app = make_group("Settings of a cluster's servers.", cls=Configuration)

SETTINGS = Table((Column("key", "key", "key"), Column("value", "value", "value")))

Engine = Annotated[str, typer.Option("--engine", "-e", metavar="ENGINE", help="The engine: pg.")]
ConfigJson = Annotated[
    str,
    typer.Option(
        "--config-json", metavar="JSON", help='Settings to change, as {"work_mem": 8}; null: unset.'
    ),
]


@app.command("get", cls=TableCommand)
def get_configuration(ctx: typer.Context, cluster: Cluster, engine: Engine) -> None:
    """Show every setting with its value."""
    _check_engine(engine)
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        config = api.get("v2", "databases", find_cluster_id(api, cluster), "config")["config"]
    if invocation.wants_json:
        print_json(config)
    else:
        print_items(invocation, SETTINGS, list(_list_rows(config)))


@app.command("update", cls=Command)
def update_configuration(
    ctx: typer.Context, cluster: Cluster, engine: Engine, config_json: ConfigJson
) -> None:
    """Change settings and leave the others; no client is disconnected."""
    _check_engine(engine)
    body = {"config": _parse_config(config_json)}
    with open_api(get_invocation(ctx)) as api:
        path = ("v2", "databases", find_cluster_id(api, cluster), "config")
        api.call("PATCH", path, body=body)


def _check_engine(engine: str) -> None:
    if engine != "pg":
        raise CommandFailed(f"unknown engine {engine!r}; there is pg")


def _parse_config(text: str) -> dict[str, Any]:
    import json

    try:
        config = json.loads(text)
    except ValueError as error:
        raise CommandFailed(f"--config-json is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise CommandFailed('--config-json must be an object, such as {"work_mem": 8}')
    return config


def _list_rows(config: Mapping[str, Any]) -> Iterator[Item]:
    """What is in a group gets names with a dot."""
    for key, value in sorted(config.items()):
        if isinstance(value, Mapping):
            for inner, each in sorted(value.items()):
                yield {"key": f"{key}.{inner}", "value": each}
        else:
            yield {"key": key, "value": value}
