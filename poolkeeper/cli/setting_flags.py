"""The settings as flags of the commands that start or explain Poolkeeper."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import typer

from poolkeeper.cli.grammar import Command, TableCommand
from poolkeeper.cli.invocation import Invocation, build_params, list_global_params
from poolkeeper.settings import ROWS
from poolkeeper.settings.types import Process, Row

PANEL = "Settings (also in poolkeeper.toml and as POOLKEEPER_… variables)"


class SettingsCommand(Command):
    """A command that takes every setting as a flag; they end up in the invocation."""

    def list_extra_params(self) -> tuple[Any, ...]:
        return (*super().list_extra_params(), *list_setting_params())

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        take_settings(ctx)
        return rest


class SettingsTableCommand(SettingsCommand, TableCommand):
    """The same, printing a table."""


def take_settings(ctx: Any) -> None:
    """Moves the values of setting flags from the command's parameters to the invocation."""
    invocation = ctx.obj
    assert isinstance(invocation, Invocation)
    for param in list_setting_params():
        value = ctx.params.pop(param.name)
        if value is not None:
            invocation.settings[param.name] = value


@cache
def list_setting_params() -> tuple[Any, ...]:
    """One flag for each setting that is not a global flag anyway."""
    taken = {param.name for param in list_global_params()}

    def declare(**_values: str | None) -> None: ...

    declare.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                row.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=typer.Option(None, row.flag, metavar=row.metavar, help=_explain(row)),
                annotation=str | None,
            )
            for row in ROWS
            if row.name not in taken
        ]
    )
    return build_params(declare, PANEL)


def _explain(row: Row) -> str:
    default = row.default(Process.observe(), {})
    if default is None or "Default:" in row.help:
        return row.help
    shown = row.format(default)
    return f"{row.help} [{':'.join(shown) if isinstance(shown, list) else shown}]"
