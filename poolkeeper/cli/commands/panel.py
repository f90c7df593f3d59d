"""`poolkeeper panel`: into the control panel, in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from poolkeeper.cli.client import open_api
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.grammar import Command, make_command
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.output import print_json

app = make_command()


@app.command(cls=Command)
def panel(
    ctx: typer.Context,
    browser: Annotated[
        bool, typer.Option("--open", help="Open the link in this machine's browser.")
    ] = False,
) -> None:
    """Print a link that signs in to the control panel.

    It works once, within five minutes, and may what the token of this context may.
    """
    invocation = get_invocation(ctx)
    with open_api(invocation) as api:
        link = api.post("v1", "sign-in-links", body={})["sign_in_link"]
        url = api.place.api + link["path"]
    if invocation.wants_json:
        print_json({"url": url, "expires_at": link["expires_at"]})
    else:
        print(url)
    if browser:
        import webbrowser

        if not webbrowser.open(url):
            raise CommandFailed("there is no browser on this machine; open the link in another")
