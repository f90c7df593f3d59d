"""`poolkeeper tokens`: API tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from poolkeeper.cli.client import Api, open_api
from poolkeeper.cli.commands.databases import Force
from poolkeeper.cli.dialogue import confirm
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.grammar import VERB_ALIASES, Command, Group, TableCommand, make_group
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.output import Column, Item, Table, format_time, print_items, print_notice


class Tokens(Group):
    """`delete` and `rm` work too: that is what the other nouns call it."""

    aliases: ClassVar[Mapping[str, str]] = {**VERB_ALIASES, "delete": "revoke", "rm": "revoke"}


app = make_group("API tokens.", cls=Tokens)

_COLUMNS = (
    Column("ID", "ID", "id"),
    Column("Name", "Name", "name"),
    Column("Scopes", "Scopes", "scopes"),
    Column("Created", "Created At", lambda token: format_time(token["created_at"])),
    Column("Expires", "Expires At", lambda token: format_time(token["expires_at"])),
    Column("LastUsed", "Last Used At", lambda token: format_time(token["last_used_at"])),
)
TOKENS = Table(_COLUMNS)
NEW_TOKENS = Table((*_COLUMNS[:5], Column("Token", "Token", "value")))

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")


@app.command("list", cls=TableCommand)
def list_tokens(ctx: typer.Context) -> None:
    """List the tokens; their values were shown when they were created."""
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        print_items(invocation, TOKENS, api.get("v1", "tokens")["tokens"])


@app.command("create", cls=TableCommand)
def create_token(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")],
    scope: Annotated[
        list[str],
        typer.Option(metavar="SCOPE,…", help="What it may do: admin, database:read, …"),
    ],
    expires_in: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long it is valid: 12h, 90d.")
    ] = None,
) -> None:
    """Create a token and show its value, this once."""
    invocation = get_invocation(ctx)
    body: dict[str, object] = {
        "name": name,
        "scopes": [part for text in scope for part in text.split(",") if part],
    }
    if expires_in is not None:
        body["expires_in_seconds"] = parse_duration(expires_in)
    with open_api(invocation) as api:
        token = api.post("v1", "tokens", body=body)["token"]
    print_notice("Keep the token safe: it cannot be shown again")
    print_items(invocation, NEW_TOKENS, [token])


@app.command("revoke", cls=Command)
def revoke_token(
    ctx: typer.Context,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Name or id of the token.")],
    force: Force = False,
) -> None:
    """Make a token invalid from now on."""
    with open_api(get_invocation(ctx)) as api:
        found = _find_token(api, token)
        confirm(f"revoke the token {found['name']} ({found['id']})?", force=force)
        api.delete("v1", "tokens", found["id"])


def parse_duration(text: str) -> int:
    """Seconds of a text like 90d, 12h, 30m or 45s."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise CommandFailed(f"--expires-in: {text!r} is no time; give one like 12h or 90d")
    return int(match[1]) * SECONDS[match[2]]


def _find_token(api: Api, name_or_id: str) -> Item:
    tokens: list[Item] = api.get("v1", "tokens")["tokens"]
    by_id = [token for token in tokens if token["id"] == name_or_id]
    found = by_id or [token for token in tokens if token["name"] == name_or_id]
    if not found:
        raise CommandFailed(f"there is no token {name_or_id!r}; see `poolkeeper tokens list`")
    if len(found) > 1:
        ids = ", ".join(token["id"] for token in found)
        raise CommandFailed(f"{len(found)} tokens are called {name_or_id!r}; give one's id: {ids}")
    return found[0]
