"""`poolkeeper up`: start Poolkeeper here, in this terminal or detached from it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from poolkeeper.cli.detached import (
    leave_terminal,
    report_failure,
    report_summary,
    start_detached,
)
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.grammar import make_command
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.setting_flags import SettingsCommand
from poolkeeper.cli.summary import StartSummary, format_summary, hide_passwords, is_journal
from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.settings import Settings, load, read_environment

app = make_command()


@app.command(cls=SettingsCommand)
def up(
    ctx: typer.Context,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it runs, and leave it running.")
    ] = False,
    empty: Annotated[
        bool, typer.Option("--empty", help="Create no first cluster in an empty state.")
    ] = False,
    report_to: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Start Poolkeeper on this machine and tell how to use it.

    An empty state folder gets a first cluster, main, with a pool, main-pool. PostgreSQL and
    PgBouncer that still run from an earlier start are taken over, not restarted.
    """
    invocation = get_invocation(ctx)
    settings = load(invocation.list_flags(), read_environment()).settings
    first_start = not _has_state(settings.state_dir)
    if detach:
        summary = start_detached(settings.state_dir, sys.argv[1:])
        print(format_summary(summary, first_start=first_start, detached=True), end="")
    elif report_to >= 0:
        _serve_reporting(settings, empty, report_to)
    else:
        _serve_here(settings, empty, first_start)


def _serve_here(settings: Settings, empty: bool, first_start: bool) -> None:
    def tell(summary: StartSummary) -> None:
        text = format_summary(summary, first_start=first_start, detached=False)
        if is_journal(sys.stdout, read_environment()):
            text = hide_passwords(text)
        with suppress(OSError):  # nobody reads it: no reason to stop
            print(text, end="", flush=True)

    print(f"Starting Poolkeeper in {settings.state_dir} …", file=sys.stderr)
    try:
        _serve(settings, empty, tell)
    except KeyboardInterrupt:
        pass  # the usual way to stop it, and not a failure
    print("Poolkeeper stopped; PostgreSQL and PgBouncer go on.", file=sys.stderr)


def _serve_reporting(settings: Settings, empty: bool, descriptor: int) -> None:
    """Serves for a parent that waits at the other end of a pipe."""
    leave_terminal(descriptor)
    told = False

    def tell(summary: StartSummary) -> None:
        nonlocal told
        told = True
        report_summary(descriptor, summary)

    try:
        _serve(settings, empty, tell)
    except PoolkeeperError as failed:
        # Once the summary is told the pipe is closed, and its number is another file's.
        if not told:
            report_failure(descriptor, str(failed))
        raise


def _serve(settings: Settings, empty: bool, tell: Callable[[StartSummary], None]) -> None:
    # structlog would import Rich, to colour what goes to a file: 4 MB for as long as we run.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from poolkeeper.control_plane.serve import serve  # here: it brings the whole server

    try:
        serve(settings, empty=empty, ready=lambda summary: tell(StartSummary.of(summary)))
    except OSError as wrong:
        raise CommandFailed(f"cannot work in {settings.state_dir}: {wrong}") from wrong


def _has_state(state_dir: Path) -> bool:
    """Whether an earlier start got as far as making the token; unreadable counts as yes."""
    try:
        return (state_dir / "token").exists()
    except OSError:
        return True
