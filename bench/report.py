"""What was found: kept in docs/performance.json, shown in docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

BEGIN = "<!-- bench: written by scripts/bench out of performance.json; an edit here is lost -->"
END = "<!-- /bench -->"

_VERDICTS = {True: "reached", False: "**missed**", None: ""}


@dataclass(frozen=True)
class Row:
    """One line of a figure's table. ``goal`` as text; ``met`` is None where there is none."""

    what: str
    found: str
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Figure:
    """A figure as it was taken, with what one needs to judge it by."""

    name: str
    rows: Sequence[Row]
    taken_at: str
    seconds: int
    load_before: float
    machine: str
    versions: str


@dataclass(frozen=True)
class Heading:
    """What stands above a figure's table: its title, and how it is taken."""

    name: str
    title: str
    text: str


def read_record(path: Path) -> dict[str, Figure]:
    """The figures as they were last taken, by name; none if there is no record."""
    if not path.exists():
        return {}
    record = json.loads(path.read_text())
    return {name: _parse_figure(values) for name, values in record.items()}


def write_record(path: Path, figures: Mapping[str, Figure]) -> None:
    """Keep them for the next time, when only some are taken."""
    record = {name: asdict(figures[name]) for name in sorted(figures)}
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def write_page(path: Path, text: str) -> None:
    """Put the text between the markers of the page; the rest of it is left alone."""
    page = path.read_text() if path.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} lacks the line {BEGIN} or {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def render_page(headings: Iterable[Heading], figures: Mapping[str, Figure]) -> str:
    """The goals in one table, then each figure with how it was taken."""
    headings = list(headings)
    blocks = [_render_goals(headings, figures)]
    blocks += [_render_figure(heading, figures.get(heading.name)) for heading in headings]
    return "\n".join(blocks)


def render_rows(rows: Iterable[Row]) -> str:
    """A figure's table."""
    cells = [(row.what, row.found, row.goal, _VERDICTS[row.met]) for row in rows]
    return _render_table(("what", "found", "goal", ""), cells)


def _render_goals(headings: Sequence[Heading], figures: Mapping[str, Figure]) -> str:
    cells = [
        (heading.title, row.what, row.found, row.goal, _VERDICTS[row.met])
        for heading in headings
        if heading.name in figures
        for row in figures[heading.name].rows
        if row.goal or row.met is not None
    ]
    return "## Goals\n\n" + _render_table(("figure", "what", "found", "goal", ""), cells)


def _render_figure(heading: Heading, figure: Figure | None) -> str:
    head = f"## {heading.title}\n\n{heading.text}\n"
    if figure is None:
        return f"{head}\nNot taken yet: `scripts/bench {heading.name}`.\n"
    note = (
        f"`scripts/bench {figure.name}`, {figure.taken_at}, {figure.seconds} s; load average"
        f" before: {figure.load_before:.2f}. {figure.machine}. {figure.versions}."
    )
    return f"{head}\n{render_rows(figure.rows)}\n{note}\n"


def _render_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    every = [head, ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(map(_escape, line)) + " |\n" for line in every)


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def _parse_figure(values: Mapping[str, object]) -> Figure:
    rows = values["rows"]
    assert isinstance(rows, list)
    return Figure(**{**values, "rows": [Row(**row) for row in rows]})  # type: ignore[arg-type]
