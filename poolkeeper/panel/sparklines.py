"""How busy each cluster was in the last hour, small enough for a line of a list: connections
that were at work, as a share of the budget, so that lines can be compared.

Drawn anew about once a minute for each cluster, whoever asks and however often.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from poolkeeper.domain.samples import Kind, Subject
from poolkeeper.usecases.context import Context

WIDTH, HEIGHT = 60, 16

_VALUE = "connections_active"
_PEAK = f"{_VALUE}.max"
_SPAN = 3600
_POINTS = 30
_KEPT = 60.0
# So that not all are drawn by the same request.
_SPREAD = 30


@dataclass(frozen=True)
class Sparkline:
    """``path``: of an SVG that is ``WIDTH`` by ``HEIGHT``, empty if nothing is known; its top
    is the ``budget``. ``greatest``: how many were at work in any one second."""

    path: str
    budget: int
    greatest: float | None


class Sparklines:
    """From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: dict[UUID, tuple[float, Sparkline]] = {}

    def draw(self, context: Context, budgets: Mapping[UUID, int]) -> dict[UUID, Sparkline]:
        """One for each of those clusters, by its budget; others are forgotten."""
        now = time.monotonic()
        with self._lock:
            before = self._drawn
        drawn = {}
        for cluster_id, budget in budgets.items():
            until, line = before.get(cluster_id, (0.0, None))
            if line is None or line.budget != budget or until <= now:
                until, line = _expire(cluster_id, now), _draw(context, cluster_id, budget)
            drawn[cluster_id] = until, line
        with self._lock:
            self._drawn = drawn
        return {cluster_id: line for cluster_id, (_, line) in drawn.items()}


def trace(points: Sequence[float | None], top: float) -> str:
    """The path through these points, from 0 at the bottom to ``top``, and no higher; a gap
    interrupts it."""
    words = []
    pen = "M"
    for index, point in enumerate(points):
        if point is None:
            pen = "M"
            continue
        x = index * WIDTH / max(len(points) - 1, 1)
        # Half a line's width from the edges.
        y = HEIGHT - 1 - min(point / top, 1.0) * (HEIGHT - 2)
        words.append(f"{pen}{x:.4g} {y:.3g}")
        pen = "L"
    return "".join(words)


def _draw(context: Context, cluster_id: UUID, budget: int) -> Sparkline:
    stop = context.samples.wait_beyond(0, 0) + 1
    series = context.samples.read(
        Subject(Kind.CLUSTER, cluster_id),
        [_VALUE, _PEAK],
        start=max(stop - _SPAN, 0),
        stop=stop,
        points=_POINTS,
    )
    peaks = [peak for peak in series.values[_PEAK] if peak is not None]
    path = trace(series.values[_VALUE], max(budget, 1)) if peaks else ""
    return Sparkline(path, budget, max(peaks, default=None))


def _expire(cluster_id: UUID, now: float) -> float:
    return now + _KEPT + cluster_id.int % _SPREAD
