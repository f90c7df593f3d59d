"""Where the command line begins: the list of commands, and how a failure is told.

Exit codes are doctl's: 0; 1 for a command that failed or lacks arguments; 255 for a line
that makes no sense; 130 when interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import typer

from poolkeeper.cli.grammar import Entry, Group, make_group
from poolkeeper.cli.invocation import Invocation
from poolkeeper.domain.errors import PoolkeeperError

# Typer has no public name for what its parser raises.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

FAILED = 1
MISUSED = 255
INTERRUPTED = 130

_HERE = "This machine"
_DATABASES = "Databases"
_ACCESS = "Access"


def _entry(module: str, help: str, section: str) -> Entry:
    return Entry(f"poolkeeper.cli.commands.{module}", help, section)


class Root(Group):
    """All commands. The modules are imported when a command is used."""

    aliases: ClassVar[Mapping[str, str]] = {
        name: "databases" for name in ("db", "dbs", "d", "database")
    }
    entries: ClassVar[Mapping[str, Entry]] = {
        "up": _entry("up", "Start Poolkeeper on this machine.", _HERE),
        "down": _entry("down", "Stop Poolkeeper on this machine.", _HERE),
        "status": _entry("status", "Tell what runs on this machine, and where.", _HERE),
        "logs": _entry("logs", "Print the logs of Poolkeeper, a cluster or a pooler.", _HERE),
        "config": _entry("config", "Show settings and where each comes from.", _HERE),
        "databases": _entry(
            "databases", "Clusters, pools, users and databases, as doctl has them.", _DATABASES
        ),
        "clusters": _entry(
            "clusters", "What Poolkeeper knows of clusters: phases, processes, budgets.", _DATABASES
        ),
        "psql": _entry("psql", "Open psql on a cluster, or through a pool.", _DATABASES),
        "events": _entry("events", "Who changed what, and what Poolkeeper did.", _DATABASES),
        "auth": _entry("auth", "Log in to a Poolkeeper elsewhere; contexts.", _ACCESS),
        "panel": _entry("panel", "Print a link that signs in to the panel.", _ACCESS),
        "tokens": _entry("tokens", "API tokens.", _ACCESS),
        "version": _entry("version", "Print the version.", _ACCESS),
    }


app = make_group("Managed PostgreSQL connection pools on your own machines.", cls=Root)


@app.callback()
def _root() -> None:
    """Managed PostgreSQL connection pools on your own machines."""


def main() -> None:
    """The `poolkeeper` program."""
    # httpx would import its own command line, and with it Rich and Click, for 0.06 s.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code."""
    invocation = Invocation()
    command: Any = typer.main.get_command(app)
    command.context_settings["help_option_names"] = ["-h", "--help"]
    try:
        code = command.main(
            list(arguments), prog_name="poolkeeper", standalone_mode=False, obj=invocation
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except UsageError as wrong:
        return _tell_misuse(wrong, invocation)
    except PoolkeeperError as failed:
        return _tell_failure(str(failed), invocation)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, `head` say, has seen enough. Nothing is left to flush at exit.
        sys.stdout = None
        return FAILED
    except OSError as wrong:
        place = f"cannot use {wrong.filename}: " if wrong.filename else ""
        return _tell_failure(f"{place}{wrong.strerror or wrong}", invocation)


def _tell_misuse(wrong: Any, invocation: Invocation) -> int:
    kind = type(wrong).__name__
    if kind == "NoArgsIsHelpError":
        print(wrong.format_message())
        return 0
    if kind == "MissingParameter":
        return _tell_failure(_describe_missing(wrong), invocation)
    print(f"Error: {wrong.format_message()}", file=sys.stderr)
    if wrong.ctx is not None:
        print(f"{wrong.ctx.get_usage()}", file=sys.stderr)
        print(f"See `{wrong.ctx.command_path} --help`.", file=sys.stderr)
    return MISUSED


def _tell_failure(message: str, invocation: Invocation) -> int:
    if invocation.wants_json:
        import json

        print(json.dumps({"errors": [{"detail": message}]}, ensure_ascii=False))
    else:
        print(f"Error: {message}", file=sys.stderr)
    return FAILED


def _describe_missing(wrong: Any) -> str:
    """doctl's words, ``(pool.create.size) command is missing …``, and what it should be."""
    ctx, param = wrong.ctx, wrong.param
    names = [ctx.parent.command.name if ctx.parent else "", ctx.command.name]
    if param.param_type_name == "option":
        names.append(param.opts[0].lstrip("-"))
    required = [other for other in ctx.command.params if other.required]
    shape = [
        other.metavar or other.name.upper()
        if other.param_type_name == "argument"
        else f"{other.opts[0]} {other.metavar or other.name.upper()}"
        for other in required
    ]
    line = " ".join([ctx.command_path, *shape])
    return f"({'.'.join(filter(None, names))}) command is missing required arguments: {line}"
