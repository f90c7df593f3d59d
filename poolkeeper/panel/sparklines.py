"""How busy each cluster was in the last hour, small enough for a line of a list.

Drawn anew about once a minute for each cluster, whoever asks and however often.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from poolkeeper.domain.samples import Kind, Subject
from poolkeeper.usecases.context import Context

WIDTH, HEIGHT = 60, 16

_VALUE = "xacts_per_second"
_SPAN = 3600
_POINTS = 30
_KEPT = 60.0
# So that not all are drawn by the same request.
_SPREAD = 30


@dataclass(frozen=True)
class Sparkline:
    """``path``: of an SVG that is ``WIDTH`` by ``HEIGHT``, empty if nothing is known."""

    path: str
    mean: float | None
    greatest: float | None


class Sparklines:
    """From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: dict[UUID, tuple[float, Sparkline]] = {}

    def draw(self, context: Context, clusters: Iterable[UUID]) -> dict[UUID, Sparkline]:
        """One for each of those clusters; others are forgotten."""
        now = time.monotonic()
        with self._lock:
            before = self._drawn
        drawn = {}
        for cluster_id in clusters:
            until, line = before.get(cluster_id, (0.0, None))
            if line is None or until <= now:
                until, line = _expire(cluster_id, now), _draw(context, cluster_id)
            drawn[cluster_id] = until, line
        with self._lock:
            self._drawn = drawn
        return {cluster_id: line for cluster_id, (_, line) in drawn.items()}


def trace(points: Sequence[float | None]) -> str:
    """The path through these points, from the bottom to the greatest; a gap interrupts it."""
    top = max((point for point in points if point is not None), default=0.0) or 1.0
    words = []
    pen = "M"
    for index, point in enumerate(points):
        if point is None:
            pen = "M"
            continue
        x = index * WIDTH / max(len(points) - 1, 1)
        # Half a line's width from the edges.
        y = HEIGHT - 1 - point / top * (HEIGHT - 2)
        words.append(f"{pen}{x:.4g} {y:.3g}")
        pen = "L"
    return "".join(words)


def _draw(context: Context, cluster_id: UUID) -> Sparkline:
    stop = context.samples.wait_beyond(0, 0) + 1
    series = context.samples.read(
        Subject(Kind.CLUSTER, cluster_id),
        [_VALUE],
        start=max(stop - _SPAN, 0),
        stop=stop,
        points=_POINTS,
    )
    points = series.values[_VALUE]
    known = [point for point in points if point is not None]
    mean = sum(known) / len(known) if known else None
    return Sparkline(trace(points) if known else "", mean, max(known, default=None))


def _expire(cluster_id: UUID, now: float) -> float:
    return now + _KEPT + cluster_id.int % _SPREAD
