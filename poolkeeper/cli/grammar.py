"""How commands are found, parsed and explained: Typer's classes with doctl's manners.

Three things differ from plain Typer. Global flags may stand anywhere on the line. Groups
import the modules of their commands when these are used, so that ``--help`` is quick. And
help is plain text: Rich alone takes longer to import than the whole rest.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from poolkeeper.cli.invocation import (
    Invocation,
    list_global_params,
    list_table_params,
    spare_conversion,
)
from poolkeeper.cli.output import check_output

VERB_ALIASES: Mapping[str, str] = {
    "c": "create",
    "conn": "connection",
    "g": "get",
    "gc": "get-ca",
    "ls": "list",
    "rm": "delete",
    "rs": "reset",
    "u": "update",
}


@dataclass(frozen=True)
class Entry:
    """A command that is imported when it is used: the Typer called `app` in `module`."""

    module: str
    help: str
    section: str = "Commands"


class Command(TyperCommand):
    """A command that also takes the global flags."""

    def get_params(self, ctx: Any) -> list[Any]:
        own = [*super().get_params(ctx), *self.list_extra_params(), *list_global_params()]
        return spare_conversion(own)

    def list_extra_params(self) -> tuple[Any, ...]:
        """Flags that all commands of this class have beside their own."""
        return ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        finally:
            _take_flags(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [param for param in self.params if param.param_type_name == "argument"]
        names = [(param.metavar or param.name or "", param.required) for param in arguments]
        return ["[OPTIONS]", *(name if required else f"[{name}]" for name, required in names)]

    def invoke(self, ctx: Any) -> Any:
        check_output(ctx.obj)
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self, ctx, formatter)


class TableCommand(Command):
    """A command that prints a table, and so takes ``--format`` and ``--no-header``."""

    def list_extra_params(self) -> tuple[Any, ...]:
        return list_table_params()


class Group(TyperGroup):
    """A group that takes the global flags, knows aliases and imports commands late."""

    aliases: ClassVar[Mapping[str, str]] = VERB_ALIASES
    entries: ClassVar[Mapping[str, Entry]] = {}

    def get_params(self, ctx: Any) -> list[Any]:
        return spare_conversion([*super().get_params(ctx), *list_global_params()])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        finally:
            _take_flags(ctx)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(dict.fromkeys([*super().list_commands(ctx), *self.entries]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        name = self._resolve_alias(cmd_name)
        entry = self.entries.get(name)
        if entry is None or name in self.commands:
            return super().get_command(ctx, name)
        command = typer.main.get_command(import_module(entry.module).app)
        command.name = name
        command.help = command.help or entry.help
        self.commands[name] = command
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        command = self.get_command(ctx, args[0])
        if command is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"unknown command {args[0]!r} for {ctx.command_path!r}{hint}")
        return command.name, command, args[1:]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            entry = self.entries.get(name)
            if entry is None:
                text = self.commands[name].get_short_help_str(limit=100)
                sections.setdefault("Commands", []).append((name, text))
            else:
                sections.setdefault(entry.section, []).append((name, entry.help))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def _resolve_alias(self, name: str) -> str:
        known = self.commands.keys() | self.entries.keys()
        target = self.aliases.get(name, name)
        return target if name not in known and target in known else name


def make_group(help: str, cls: type[Group] = Group) -> typer.Typer:
    """A Typer for a group of commands; without a command it prints its help."""
    return typer.Typer(
        cls=cls, help=help, no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )


def make_command() -> typer.Typer:
    """A Typer for a module that holds one command."""
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def _take_flags(ctx: Any) -> None:
    invocation = ctx.obj
    if isinstance(invocation, Invocation):
        invocation.take(ctx.params)


def _write_options(command: Any, ctx: Any, formatter: Any) -> None:
    sections: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is not None:
            argument = param.param_type_name == "argument"
            default = "Arguments" if argument else "Options"
            title = getattr(param, "rich_help_panel", None) or default
            sections.setdefault(title, []).append(record)
    for title, rows in sections.items():
        with formatter.section(title):
            formatter.write_dl(rows)
