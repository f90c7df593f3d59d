"""What commands print: tables and JSON in doctl's form, so that its scripts and docs apply.

Tables have columns four spaces apart and a header; ``--format`` picks columns by key.
JSON is indented by two; lists are arrays, also where they hold one thing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.invocation import OUTPUTS, Invocation

GAP = 4

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column: the key that ``--format`` knows, its header, and how to read its value."""

    key: str
    header: str
    read: str | Callable[[Item], object]

    def read_cell(self, item: Item) -> str:
        value = item.get(self.read) if isinstance(self.read, str) else self.read(item)
        return format_cell(value)


@dataclass(frozen=True)
class Table:
    """The columns that a command can print, and the keys of those it prints unasked."""

    columns: tuple[Column, ...]
    keys: tuple[str, ...] = ()

    def choose(self, format_flag: str | None) -> list[Column]:
        """The columns that ``--format`` names, else the table's own choice."""
        wanted = [key for key in "".join((format_flag or "").split()).split(",") if key]
        by_key = {column.key: column for column in self.columns}
        for key in wanted:
            if key not in by_key:
                raise CommandFailed(f'unknown column "{key}"; there are {", ".join(by_key)}')
        return [by_key[key] for key in (wanted or self.keys or by_key)]


def print_items(invocation: Invocation, table: Table, items: Sequence[Item]) -> None:
    """A list of things: a table with one row each, or a JSON array."""
    if invocation.wants_json:
        print_json(items)
    else:
        _print_rows(invocation, table, items)


def print_item(invocation: Invocation, table: Table, item: Item) -> None:
    """What doctl prints as an object in JSON, not as an array of one."""
    if invocation.wants_json:
        print_json(item)
    else:
        _print_rows(invocation, table, [item])


def print_json(value: object) -> None:
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_notice(text: str) -> None:
    """Tells a person something that is not the command's result."""
    print(f"Notice: {text}", file=sys.stderr)


def print_facts(facts: Iterable[tuple[str, object]], out: TextIO | None = None) -> None:
    """Labels and values, one pair a line, the values in line with each other."""
    rows = [(label, format_cell(value)) for label, value in facts]
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        print(f"{label:<{width}}  {value}".rstrip(), file=out or sys.stdout)


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines with columns in line, four spaces apart; the last is not padded."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        padded = [f"{cell:<{width + GAP}}" for cell, width in zip(row, widths, strict=True)]
        lines.append("".join([*padded[:-1], row[-1]]) + "\n")
    return "".join(lines)


def format_cell(value: object) -> str:
    """A value as Go would print it, but nothing instead of ``<nil>``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:f}"
    if isinstance(value, list | tuple):
        return ",".join(format_cell(item) for item in value)
    return str(value)


def format_time(text: object) -> str:
    """An RFC 3339 time as Go prints it: ``2026-11-01 10:00:00 +0000 UTC``."""
    from datetime import UTC, datetime

    if not isinstance(text, str) or not text:
        return ""
    try:
        time = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    fraction = f".{time.microsecond:06d}".rstrip("0") if time.microsecond else ""
    return f"{time:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def check_output(invocation: Invocation) -> None:
    """Refuses a form of output that does not exist."""
    if invocation.output not in OUTPUTS:
        raise CommandFailed(
            f"unknown output type {invocation.output!r}; give -o {' or -o '.join(OUTPUTS)}"
        )


def _print_rows(invocation: Invocation, table: Table, items: Sequence[Item]) -> None:
    columns = table.choose(invocation.format)
    rows = [] if invocation.no_header else [[column.header for column in columns]]
    rows += [[column.read_cell(item) for column in columns] for item in items]
    sys.stdout.write(format_table(rows))
