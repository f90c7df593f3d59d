"""The flags that every command takes, wherever they stand on the line, and their values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

import typer

OUTPUTS = ("text", "json")
PANEL = "Global options"


@dataclass
class Invocation:
    """What this run of the command line was told by flags that are not one command's own.

    `settings` holds the flags that override settings, by the settings' names.
    """

    output: str = "text"
    context: str | None = None
    api_url: str | None = None
    access_token: str | None = None
    ca_file: str | None = None
    config: str | None = None
    state_dir: str | None = None
    trace: bool = False
    format: str | None = None
    no_header: bool = False
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def wants_json(self) -> bool:
        return self.output == "json"

    def list_flags(self) -> dict[str, str | None]:
        """The flags that `settings.load` understands."""
        return {**self.settings, "config": self.config, "state_dir": self.state_dir}

    def take(self, params: dict[str, Any]) -> None:
        """Moves the values of global flags out of one command's parameters."""
        for name in self.__dataclass_fields__.keys() & params.keys():
            value = params.pop(name)
            if value not in (None, False):
                setattr(self, name, value)


def get(ctx: typer.Context) -> Invocation:
    """The invocation that the running command belongs to."""
    invocation = ctx.obj
    assert isinstance(invocation, Invocation)
    return invocation


def _declare_global(
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="text|json", help="Form of what is printed."),
    ] = None,
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="Context to use; see `poolkeeper auth`.")
    ] = None,
    api_url: Annotated[
        str | None, typer.Option("--api-url", "-u", metavar="URL", help="Address of the API.")
    ] = None,
    access_token: Annotated[
        str | None, typer.Option("--access-token", "-t", metavar="TOKEN", help="API token.")
    ] = None,
    ca_file: Annotated[
        str | None, typer.Option(metavar="PATH", help="Certificate that the API is trusted by.")
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", "-c", metavar="PATH", help="poolkeeper.toml to read.")
    ] = None,
    state_dir: Annotated[
        str | None, typer.Option(metavar="PATH", help="State folder of the local Poolkeeper.")
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Tell every API call on stderr.")] = False,
) -> None: ...


def _declare_table(
    format: Annotated[
        str | None, typer.Option(metavar="Column,…", help="Columns to print, in this order.")
    ] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="Leave out the header.")] = False,
) -> None: ...


@cache
def list_global_params() -> tuple[Any, ...]:
    """The global flags as Typer's parameters."""
    return build_params(_declare_global, PANEL)


@cache
def list_table_params() -> tuple[Any, ...]:
    """The flags of commands that print a table, as Typer's parameters."""
    return build_params(_declare_table, None)


def build_params(declaration: Any, panel: str | None) -> tuple[Any, ...]:
    """The parameters that Typer reads out of a function's signature."""
    app = typer.Typer(add_completion=False)
    app.command()(declaration)
    params = typer.main.get_command(app).params
    for param in params:
        param.rich_help_panel = panel  # type: ignore[attr-defined]
    return tuple(params)


def spare_conversion(params: list[Any]) -> list[Any]:
    """Lets texts be texts and flags flags: Typer would import pydantic to convert str to str.

    That would take 0.1 s. The attribute is Typer's own cache of a converter; versions of it
    that have none take no notice.
    """
    for param in params:
        if getattr(getattr(param, "type_descriptor", None), "annotation", None) in (str, bool):
            param._runtime_param = _Unchanged()
    return params


class _Unchanged:
    def coerce(self, value: object, param: object, ctx: object) -> object:
        return value
