"""The page about settings has what the table has. After a change that is meant:
POOLKEEPER_GOLDEN=write."""

from __future__ import annotations

import os
from pathlib import Path

from poolkeeper.domain.config_kinds import Fixed, Integer, Number, Option, show_value
from poolkeeper.domain.config_options import EXTENSIONS, FIXED, PGBOUNCER
from poolkeeper.domain.config_postgres import POSTGRES

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"

_BY_VERSION = "log_autovacuum_min_duration"


def test_the_page_has_every_setting() -> None:
    text = PAGE.read_text()
    wanted = replace_table(text, "## PostgreSQL", [write_row(option) for option in POSTGRES])
    wanted = replace_table(wanted, "## PgBouncer", [write_row(option) for option in PGBOUNCER])
    extensions = [write_row(option) for option in EXTENSIONS]
    wanted = replace_table(wanted, "## Extensions that are not loaded", extensions)
    wanted = replace_table(wanted, "## What cannot be set", [write_fixed(each) for each in FIXED])
    if os.environ.get("POOLKEEPER_GOLDEN") == "write":
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted


def replace_table(text: str, heading: str, rows: list[str]) -> str:
    """The page with these rows in the first table below the heading."""
    before, found, rest = text.partition(f"\n{heading}\n")
    assert found, heading
    lines = rest.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("|---")) + 1
    end = next(n for n, line in enumerate(lines) if n >= start and not line.startswith("|"))
    return before + found + "\n".join([*lines[:start], *rows, *lines[end:]])


def write_row(option: Option) -> str:
    name = option.name.removeprefix("pgbouncer.")
    return (
        f"| `{name}` | {write_kind(option)} | {write_default(option)} |"
        f" {'restart' if option.restart else 'live'} | {option.meaning} |"
    )


def write_kind(option: Option) -> str:
    kind = option.kind
    if not isinstance(kind, Integer | Number):
        return kind.words.removeprefix("one of ").replace('"', "`")
    low = f"0, {kind.gap}" if isinstance(kind, Integer) and kind.gap else f"{kind.low}"
    return f"{low} … {kind.high}{f' {kind.unit}' if kind.unit else ''}"


def write_default(option: Option) -> str:
    if option.name == _BY_VERSION:
        return "600000; -1 before PostgreSQL 15"
    unset = "none" if option in EXTENSIONS else "by size"
    shown = unset if option.default is None else f"`{show_value(option.default)}`"
    return shown if option.since == 13 else f"{shown}, from PostgreSQL {option.since} on"


def write_fixed(fixed: Fixed) -> str:
    shown = "none" if fixed.value is None else f"`{show_value(fixed.value)}`"
    if fixed.name == "max_connections":
        shown = "by size"
    return f"| `{fixed.name}` | {shown} | {fixed.reason} |"
