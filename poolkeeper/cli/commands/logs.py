"""`poolkeeper logs`: the logs on this machine, of Poolkeeper and of what it runs."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.grammar import Command, make_command
from poolkeeper.cli.invocation import Invocation
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.tail import follow_lines, pause, read_last_lines
from poolkeeper.settings import find_state_dir, read_environment

CONTROL_PLANE = "control-plane"

app = make_command()

What = Annotated[
    str, typer.Argument(metavar="CLUSTER", help="Name or id of a cluster, for PostgreSQL's log.")
]
Pooler = Annotated[
    bool, typer.Option("--pooler", help="The log of the cluster's PgBouncer instead.")
]
Process = Annotated[int, typer.Option(metavar="N", help="Which PgBouncer, if there are several.")]


@app.command(cls=Command)
def logs(
    ctx: typer.Context,
    what: What = CONTROL_PLANE,
    pooler: Pooler = False,
    process: Process = 1,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", metavar="N", help="So many lines.")] = 50,
) -> None:
    """Print the log of Poolkeeper; with a cluster, that of its PostgreSQL or PgBouncer.

    With -o json Poolkeeper's own log is printed as it is: one JSON object a line.
    """
    invocation = get_invocation(ctx)
    locate = _choose_log(invocation, what, process if pooler else None)
    path = locate()
    if path is None and not follow:
        raise CommandFailed(f"there is no log yet of {what}")
    show = _choose_form(invocation, what)
    for line in read_last_lines(path, lines) if path else []:
        print(show(line))
    if follow:
        sys.stdout.flush()
        for line in follow_lines(locate, pause):
            print(show(line), flush=True)


def _choose_form(invocation: Invocation, what: str) -> Callable[[str], str]:
    if invocation.wants_json:
        return str
    return format_event if what == CONTROL_PLANE else make_harmless


def make_harmless(text: str) -> str:
    """The text without what a terminal would obey: paths and statements in it are strangers'."""
    return "".join(ascii(sign)[1:-1] if _is_obeyed(sign) else sign for sign in text)


def _is_obeyed(sign: str) -> bool:
    return sign not in "\t\n" and unicodedata.category(sign) in ("Cc", "Cf")


def format_event(line: str) -> str:
    """An event of the control plane's log for reading; other lines stay as they are."""
    try:
        event = json.loads(line)
        head = f"{event.pop('timestamp')} {event.pop('level'):<8} {event.pop('event')}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return make_harmless(line)
    event.pop("logger", None)
    trace = event.pop("exception", None)
    facts = " ".join(f"{name}={_format_fact(value)}" for name, value in event.items())
    return make_harmless(f"{head} {facts}".rstrip() + (f"\n{trace}" if trace else ""))


def _format_fact(value: object) -> str:
    plain = isinstance(value, str) and value.isprintable() and value != "" and " " not in value
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def _choose_log(
    invocation: Invocation, what: str, process: int | None
) -> Callable[[], Path | None]:
    """A function that finds the file to read now; rotation may change its answer."""
    state_dir = find_state_dir(invocation.list_flags(), read_environment())
    if what == CONTROL_PLANE:
        if process is not None:
            raise CommandFailed("--pooler needs a cluster: poolkeeper logs CLUSTER --pooler")
        return lambda: _find_newest(state_dir / "logs", "control-plane.log")
    folder = _find_cluster(state_dir, what) / "log"
    pattern = "postgres*.log" if process is None else f"pooler-{process}.log"
    return lambda: _find_newest(folder, pattern)


def _find_cluster(state_dir: Path, name_or_id: str) -> Path:
    """The folder of a cluster, by what the folders themselves say: no API is needed."""
    root = state_dir / "clusters"
    try:
        names = {folder: _read_name(folder) for folder in sorted(root.iterdir())}
    except FileNotFoundError:
        names = {}
    except PermissionError:
        raise CommandFailed(
            f"{root} belongs to another account; run this as that account"
        ) from None
    found = [folder for folder, name in names.items() if name_or_id in (folder.name, name)]
    if found:
        # A deleted cluster's folder stays for a while; a new one may have its name.
        return max(found, key=lambda folder: folder.stat().st_mtime)
    known = ", ".join(sorted({name for name in names.values() if name})) or "none"
    raise CommandFailed(f"there is no cluster {name_or_id!r} in {state_dir}; there are: {known}")


def _read_name(folder: Path) -> str:
    try:
        return (folder / "name").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _find_newest(folder: Path, pattern: str) -> Path | None:
    try:
        found = [(path.stat().st_mtime, path) for path in folder.glob(pattern)]
    except FileNotFoundError:  # rotated away this very moment
        return None
    except PermissionError:
        raise CommandFailed(
            f"{folder} belongs to another account; run this as that account"
        ) from None
    return max(found)[1] if found else None
