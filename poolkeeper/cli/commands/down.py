"""`poolkeeper down`: stop the control plane, and the data plane too if asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from poolkeeper.cli.dialogue import confirm, show_progress
from poolkeeper.cli.grammar import Command, make_command
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.settings import Settings, find_state_dir, load, read_environment

STOP_SECONDS = 60.0

app = make_command()


@app.command(cls=Command)
def down(
    ctx: typer.Context,
    all: Annotated[
        bool, typer.Option("--all", help="Also stop PostgreSQL and PgBouncer; clients are cut.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Do not ask.")] = False,
) -> None:
    """Stop Poolkeeper on this machine.

    PostgreSQL and PgBouncer go on without it, and so do their clients; the next
    `poolkeeper up` takes them over again. With --all they are stopped as well.
    """
    invocation = get_invocation(ctx)
    flags, environ = invocation.list_flags(), read_environment()
    # Settings that are wrong by now are no reason to go on running.
    state_dir = find_state_dir(flags, environ)
    settings = load(flags, environ, host_checks=False).settings if all else None
    if settings is not None:
        confirm(
            "stop PostgreSQL and PgBouncer too? All their clients are cut; the data stays.",
            force=force,
        )
    _stop_control_plane(state_dir)
    if settings is not None:
        _stop_data_plane(settings)


def _stop_control_plane(state_dir: Path) -> None:
    from poolkeeper.control_plane.state_lock import find_holder, stop_holder

    holder = find_holder(state_dir)
    if holder is None:
        print(f"Poolkeeper does not run in {state_dir}.")
        return
    with show_progress(f"Stopping Poolkeeper (process {holder})"):
        stop_holder(state_dir, STOP_SECONDS)
    print(f"Stopped Poolkeeper (process {holder}).")


def _stop_data_plane(settings: Settings) -> None:
    from poolkeeper.control_plane.serve import stop_data_plane  # here: it is the whole server

    with show_progress("Stopping PostgreSQL and PgBouncer"):
        lines = stop_data_plane(settings)
    for line in lines or ["No PostgreSQL and no PgBouncer of Poolkeeper runs."]:
        print(line)
