"""Charts: what each shows, and the numbers for it. Drawn by static/charts/; without scripts a
page still has what they come to, and a table.

A line is made of terms, which are named as the numbers of the live stream are:
``cluster.xacts_per_second``, ``host.load_1m``, ``pool.web.backends_active``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from poolkeeper.domain.samples import Kind, Series, list_names, parse_subject
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.samples import read_charts

Points = Sequence[float | None]

# What may stand in an address, its seconds, and what it is called.
SPANS = {
    "15m": (900, "15 min"),
    "1h": (3600, "1 h"),
    "24h": (86400, "24 h"),
    "30d": (30 * 86400, "30 d"),
}
LIVE_SPAN = "15m"

_POINTS_DRAWN = 360
_POINTS_SUMMED = 90
_ROWS = 15
_PEAK = ".max"


@dataclass(frozen=True)
class Line:
    """The sum of some terms, less others, times a factor; never below 0.

    ``tone``: its colour, a class of charts.css. ``is_limit``: what others cannot exceed.
    """

    label: str
    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()
    factor: float = 1.0
    tone: str = "tone-0"
    is_limit: bool = False


@dataclass(frozen=True)
class Chart:
    """``kind``: of its numbers, as ``wording.word_value`` has them. ``top``: the axis reaches
    at least so far. ``is_stacked``: its lines are parts of a whole, but for limits.
    ``columns``: of the page's twelve."""

    id: str
    title: str
    hint: str
    kind: str
    lines: tuple[Line, ...]
    is_stacked: bool = False
    columns: int = 4
    top: float = 0.0


@dataclass(frozen=True)
class LineSummary:
    """What a line comes to over the span. ``greatest``: of any second; None where that is not
    known, because it is worked out from means over more than a second."""

    line: Line
    points: Points
    now: float | None
    mean: float | None
    greatest: float | None


@dataclass(frozen=True)
class Drawing:
    """A chart with its numbers: one for each ``step`` seconds from ``start`` on."""

    chart: Chart
    start: int
    step: int
    lines: tuple[LineSummary, ...]

    def list_rows(self) -> list[tuple[datetime, list[float | None]]]:
        """A table of few rows, newest first: means over the time from each moment on."""
        count = max((len(line.points) for line in self.lines), default=0)
        size = max(math.ceil(count / _ROWS), 1)
        return [
            (
                datetime.fromtimestamp(self.start + first * self.step, UTC),
                [_mean(line.points[first : first + size]) for line in self.lines],
            )
            for first in range(0, count, size)
        ][::-1]


def choose_span(text: str) -> str:
    """The span that an address names; the shortest if it names none."""
    return text if text in SPANS else LIVE_SPAN


def draw(
    context: Context, cluster_id: UUID, charts: Sequence[Chart], span: str, *, fine: bool = False
) -> list[Drawing]:
    """The charts over a span. ``fine``: with as many points as can be seen, else as many as
    sums and a table need. Raises NotFound."""
    seconds = SPANS[span][0]
    points = _POINTS_SUMMED
    if fine:
        points = seconds if span == LIVE_SPAN else _POINTS_DRAWN
    # Of single seconds the greatest is the value itself.
    peaks = not (fine and span == LIVE_SPAN)
    series = _read(context, cluster_id, charts, seconds, points, peaks=peaks)
    start, step = next(((each.start, each.step) for each in series.values()), (0, 1))
    terms = {
        _join(subject, name): values
        for subject, each in series.items()
        for name, values in each.values.items()
    }
    return [
        Drawing(chart, start, step, tuple(_summarise(line, terms, step) for line in chart.lines))
        for chart in charts
    ]


def _read(
    context: Context,
    cluster_id: UUID,
    charts: Iterable[Chart],
    seconds: int,
    points: int,
    *,
    peaks: bool,
) -> dict[str, Series]:
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    for line in (line for chart in charts for line in chart.lines):
        for term in (*line.plus, *line.minus):
            subject, name = _split(term)
            wanted[subject][name] = None
        if peaks and (peak := _find_peak(cluster_id, line)):
            subject, name = _split(peak)
            wanted[subject][name] = None
    asked = {subject: list(names) for subject, names in wanted.items()}
    return read_charts(context, cluster_id, asked, span=seconds, points=points)


def _find_peak(cluster_id: UUID, line: Line) -> str | None:
    """The term that has the greatest of each point, where a line is nothing but one value."""
    if line.minus or len(line.plus) != 1:
        return None
    subject, name = _split(line.plus[0])
    kind = parse_subject(cluster_id, subject).kind
    return line.plus[0] + _PEAK if name + _PEAK in _NAMES[kind] else None


_NAMES = {kind: frozenset(list_names(kind)) for kind in Kind}


def _summarise(line: Line, terms: Mapping[str, Points], step: int) -> LineSummary:
    points = _add(line, terms)
    peaks: Points = points
    if step > 1:
        found = terms.get(line.plus[0] + _PEAK, ()) if len(line.plus) == 1 else ()
        peaks = [value * line.factor for value in found if value is not None]
    greatest = [value for value in peaks if value is not None]
    return LineSummary(
        line,
        points,
        now=next((value for value in reversed(points[-2:]) if value is not None), None),
        mean=_mean(points),
        greatest=max(greatest, default=None),
    )


def _add(line: Line, terms: Mapping[str, Points]) -> Points:
    if len(line.plus) == 1 and not line.minus:
        points = terms[line.plus[0]]
        if line.factor == 1:
            return points
        return [None if value is None else value * line.factor for value in points]
    above = list(zip(*(terms[term] for term in line.plus), strict=False))
    below = list(zip(*(terms[term] for term in line.minus), strict=False)) or [()] * len(above)
    return [_combine(plus, minus, line.factor) for plus, minus in zip(above, below, strict=False)]


def _combine(
    plus: Sequence[float | None], minus: Sequence[float | None], factor: float
) -> float | None:
    total = 0.0
    for value in plus:
        if value is None:
            return None
        total += value
    # What is not there cannot be taken off.
    return max(total - sum(value or 0.0 for value in minus), 0.0) * factor


def _mean(points: Iterable[float | None]) -> float | None:
    known = [value for value in points if value is not None]
    return math.fsum(known) / len(known) if known else None


def _split(term: str) -> tuple[str, str]:
    """``pool.web.size``: subject ``pool:web``, name ``size``."""
    head, _, rest = term.partition(".")
    if head != Kind.POOL:
        return head, rest
    pool, _, name = rest.partition(".")
    return f"{Kind.POOL}:{pool}", name


def _join(subject: str, name: str) -> str:
    return f"{subject.replace(':', '.', 1)}.{name}"
