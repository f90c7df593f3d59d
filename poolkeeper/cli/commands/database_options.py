"""`poolkeeper databases options`: what clusters can be made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import typer

from poolkeeper.cli.client import open_api
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.grammar import Group, TableCommand, make_group
from poolkeeper.cli.invocation import Invocation
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.output import Column, Item, Table, print_items, print_json


class Options(Group):
    """doctl's aliases of the four."""

    aliases: ClassVar[Mapping[str, str]] = {
        "eng": "engines",
        "r": "regions",
        "s": "slugs",
        "v": "versions",
    }


app = make_group("Engines, versions, sizes and regions.", cls=Options)

ENGINES = Table((Column("Engine", "Engine", "engine"),))
REGIONS = Table((Column("Region", "Region", "region"), Column("Engines", "Engines", "engines")))
VERSIONS = Table((Column("Engine", "Engine", "engine"), Column("Versions", "Versions", "versions")))
SLUGS = Table((Column("Slug", "Slug", "slug"), Column("NodeNums", "NodeNums", "node_nums")))

Engine = Annotated[str, typer.Option("--engine", metavar="ENGINE", help="The engine: pg.")]
AnyEngine = Annotated[str, typer.Option("--engine", metavar="ENGINE", help="Only this engine.")]


@app.command("engines", cls=TableCommand)
def list_engines(ctx: typer.Context) -> None:
    """List the engines."""
    invocation = get_invocation(ctx)
    options = _read_options(invocation)
    _print(invocation, ENGINES, [{"engine": engine} for engine in options], options)


@app.command("regions", cls=TableCommand)
def list_regions(ctx: typer.Context, engine: AnyEngine = "") -> None:
    """List the regions."""
    invocation = get_invocation(ctx)
    regions = _pick(_read_options(invocation), engine, "regions")
    engines: dict[str, list[str]] = {}
    for name, places in regions.items():
        for place in places:
            engines.setdefault(place, []).append(name)
    rows = [{"region": place, "engines": _bracket(names)} for place, names in engines.items()]
    _print(invocation, REGIONS, rows, regions)


@app.command("versions", cls=TableCommand)
def list_versions(ctx: typer.Context, engine: AnyEngine = "") -> None:
    """List the versions of each engine."""
    invocation = get_invocation(ctx)
    versions = _pick(_read_options(invocation), engine, "versions")
    rows = [{"engine": name, "versions": _bracket(found)} for name, found in versions.items()]
    _print(invocation, VERSIONS, rows, versions)


@app.command("slugs", cls=TableCommand)
def list_slugs(ctx: typer.Context, engine: Engine) -> None:
    """List the sizes, and how many nodes each can have."""
    invocation = get_invocation(ctx)
    layouts = _pick(_read_options(invocation), engine, "layouts")[engine]
    nodes: dict[str, list[str]] = {}
    for layout in layouts:
        for slug in layout["sizes"]:
            nodes.setdefault(slug, []).append(str(layout["num_nodes"]))
    rows = [{"slug": slug, "node_nums": _bracket(nodes[slug])} for slug in sorted(nodes)]
    _print(invocation, SLUGS, rows, layouts)


def _read_options(invocation: Invocation) -> Mapping[str, Any]:
    with open_api(invocation) as api:
        options: Mapping[str, Any] = api.get("v2", "databases", "options")["options"]
    return {engine: option for engine, option in options.items() if option}


def _pick(options: Mapping[str, Any], engine: str, key: str) -> dict[str, Any]:
    if engine and engine not in options:
        raise CommandFailed(f"there is no engine {engine!r}; there is {', '.join(options)}")
    return {
        name: option.get(key) or []
        for name, option in options.items()
        if not engine or name == engine
    }


def _bracket(texts: list[str]) -> str:
    return f"[{','.join(texts)}]"


def _print(invocation: Invocation, table: Table, rows: Sequence[Item], whole: object) -> None:
    """JSON is what the API said, as in doctl; the table is made for reading."""
    if invocation.wants_json:
        print_json(whole)
    else:
        print_items(invocation, table, rows)
