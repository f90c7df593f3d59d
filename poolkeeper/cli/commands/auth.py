"""`poolkeeper auth`: logging in to a Poolkeeper elsewhere, and named contexts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from poolkeeper.cli.client import Api
from poolkeeper.cli.contexts import (
    LOCAL,
    Contexts,
    Place,
    check_api,
    check_name,
    load_contexts,
    read_path,
    write_private,
)
from poolkeeper.cli.dialogue import ask, is_interactive
from poolkeeper.cli.errors import ApiFailed, CommandFailed
from poolkeeper.cli.grammar import VERB_ALIASES, Command, Group, TableCommand, make_group
from poolkeeper.cli.invocation import Invocation
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.output import Column, Table, print_items
from poolkeeper.cli.trust import accept_certificate, adopt_ca, read_certificate
from poolkeeper.settings import read_environment


class Auth(Group):
    """`delete` and `rm` work too."""

    aliases: ClassVar[Mapping[str, str]] = {**VERB_ALIASES, "delete": "remove", "rm": "remove"}


app = make_group("Log in to a Poolkeeper elsewhere; contexts.", cls=Auth)

CONTEXTS = Table(
    (
        Column("Name", "Name", "name"),
        Column("Current", "Current", "current"),
        Column("API", "API", "api"),
    )
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the context.")]


@app.command("init", cls=Command)
def init(ctx: typer.Context) -> None:
    """Log in to a Poolkeeper and keep it as a context, named by --context.

    What --api-url, --ca-file and --access-token do not say is asked for. Without a
    certificate to trust, the server's own is shown with its fingerprint, to be accepted
    once: `poolkeeper status` on the server's machine prints the same.
    """
    invocation = get_invocation(ctx)
    contexts = load_contexts(read_environment())
    name = check_name(invocation.context or "default")
    api = check_api(invocation.api_url or _ask_for("Address of the API (https://HOST:8443): "))
    certificate = _obtain_certificate(invocation, api)
    token = invocation.access_token or _ask_token()
    place = _try_login(api, token, certificate, contexts.path.parent / f"{name}.pem")
    contexts.places[name] = replace(place, name=name)
    contexts.current = name
    contexts.save()
    print(f"Logged in to {api} as context {name}, which is in use from now on.", file=sys.stderr)


@app.command("list", cls=TableCommand)
def list_contexts(ctx: typer.Context) -> None:
    """List the contexts; `local` is the Poolkeeper of this machine."""
    contexts = load_contexts(read_environment())
    rows = [{"name": LOCAL, "current": contexts.current == LOCAL, "api": "this machine's"}]
    rows += [
        {"name": name, "current": contexts.current == name, "api": place.api}
        for name, place in sorted(contexts.places.items())
    ]
    print_items(get_invocation(ctx), CONTEXTS, rows)


@app.command("switch", cls=Command)
def switch_context(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The context; or give --context.")
    ] = None,
) -> None:
    """Use another context from now on."""
    contexts = load_contexts(read_environment())
    chosen = name or get_invocation(ctx).context
    if chosen is None:
        raise CommandFailed(f"say which context; there are {', '.join(_names(contexts))}")
    if chosen not in _names(contexts):
        raise CommandFailed(
            f"there is no context {chosen!r}; there are {', '.join(_names(contexts))}"
        )
    contexts.current = chosen
    contexts.save()
    print(f"Now using context {chosen}.", file=sys.stderr)


@app.command("remove", cls=Command)
def remove_context(ctx: typer.Context, name: Name) -> None:
    """Forget a context and its token; the token itself stays valid."""
    contexts = load_contexts(read_environment())
    place = contexts.places.pop(name, None)
    if place is None:
        known = ", ".join(sorted(contexts.places)) or "none"
        raise CommandFailed(f"there is no context {name!r} to remove; there are: {known}")
    if contexts.current == name:
        contexts.current = LOCAL
    contexts.save()
    own_copy = contexts.path.parent / f"{name}.pem"
    own_copy.unlink(missing_ok=True)


def _names(contexts: Contexts) -> list[str]:
    return [LOCAL, *sorted(contexts.places)]


def _obtain_certificate(invocation: Invocation, api: str) -> str | None:
    """The certificate to trust, as PEM; None for plain HTTP to this machine."""
    if api.startswith("http://"):
        return None
    if invocation.ca_file:
        return read_certificate(read_path(invocation.ca_file))
    return accept_certificate(api)


def _ask_for(question: str) -> str:
    if not is_interactive():
        raise CommandFailed("nobody is there to ask: give --api-url, --ca-file and --access-token")
    return ask(question)


def _ask_token() -> str:
    """The token, typed without an echo, or the first line of what is piped in."""
    import getpass

    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    return getpass.getpass("API token: ", stream=sys.stderr).strip()


def _try_login(api: str, token: str, certificate: str | None, ca_file: Path) -> Place:
    """A place that works. An older login of the same name keeps its certificate until then."""
    origin = "the token given"
    if certificate is None:
        place = Place(api, token, None, token_origin=origin)
        _verify(place)
        return place
    pending = ca_file.with_suffix(".new")
    write_private(pending, certificate)
    try:
        place = Place(api, token, pending, token_origin=origin)
        _verify(place)
        adopt_ca(place)
        pending.replace(ca_file)
    finally:
        pending.unlink(missing_ok=True)
    return replace(place, ca_file=ca_file)


def _verify(place: Place) -> None:
    """A call that any token may make; a lack of scopes shows that the token is known."""
    try:
        with Api(place) as api:
            api.get("v2", "databases")
    except ApiFailed as failed:
        if failed.status != 403:
            raise
