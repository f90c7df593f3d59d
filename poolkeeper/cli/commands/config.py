"""`poolkeeper config`: the settings, and where each comes from."""

from __future__ import annotations

import typer

from poolkeeper.cli.grammar import make_group
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.output import Column, Table, print_items
from poolkeeper.cli.setting_flags import SettingsTableCommand
from poolkeeper.settings import load, read_environment

app = make_group("Show settings and where each comes from.")

SETTINGS = Table(
    (
        Column("Name", "Name", "name"),
        Column("Value", "Value", "value"),
        Column("Origin", "Origin", "origin"),
    )
)


@app.callback()
def _config() -> None:
    """Show settings and where each comes from."""


@app.command("show", cls=SettingsTableCommand)
def show_config(ctx: typer.Context) -> None:
    """Print every setting, as `poolkeeper up` with the same flags would take it."""
    invocation = get_invocation(ctx)
    loaded = load(invocation.list_flags(), read_environment(), host_checks=False)
    rows = [
        {"name": name, "value": value, "origin": origin}
        for name, value, origin in loaded.list_rows()
    ]
    print_items(invocation, SETTINGS, rows)
