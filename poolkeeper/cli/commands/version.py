"""`poolkeeper version`."""

from __future__ import annotations

import typer

from poolkeeper import __version__
from poolkeeper.cli.grammar import Command, make_command
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.output import print_json

app = make_command()


@app.command(cls=Command)
def version(ctx: typer.Context) -> None:
    """Print the version of this command line."""
    if get_invocation(ctx).wants_json:
        print_json({"version": __version__})
    else:
        print(f"poolkeeper {__version__}")
