"""Charts as they were drawn a moment ago: many may look at the same ones. From any thread.

The shortest span, which moves with the live stream, is drawn once for each second that is
sampled; longer ones for as long as nobody can see a difference. Whoever comes while they are
being drawn waits for that and gets the same.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from poolkeeper.panel.charts import LIVE_SPAN, SPANS, Chart, Drawing, Points, draw
from poolkeeper.panel.live_numbers import shorten
from poolkeeper.usecases.context import Context

# By span, for how many seconds a drawing is good enough.
_KEPT = {LIVE_SPAN: 1.0, "1h": 10.0, "24h": 30.0, "30d": 60.0}
_MOST_KEPT = 100

_Key = tuple[UUID, tuple[Chart, ...], str]
_Drawn = TypeVar("_Drawn")


class Drawings:
    """Of all clusters; those that were not asked for longest are forgotten."""

    def __init__(self) -> None:
        self._for_pages: _Shelf[list[Drawing]] = _Shelf()
        self._for_scripts: _Shelf[bytes] = _Shelf()

    def draw(
        self, context: Context, cluster_id: UUID, charts: Sequence[Chart], span: str
    ) -> list[Drawing]:
        """What a page has without scripts: few points, for sums and a table. What it returns is
        nobody's to change. Raises NotFound."""
        key = cluster_id, tuple(charts), span
        return self._for_pages.get(context, key, lambda: draw(context, cluster_id, charts, span))

    def encode(
        self, context: Context, cluster_id: UUID, charts: Sequence[Chart], span: str
    ) -> bytes:
        """What charts/numbers.js reads: as many points as can be seen, as JSON, compressed by
        gzip. Raises NotFound."""

        def encode() -> bytes:
            drawn = draw(context, cluster_id, charts, span, fine=True)
            text = json.dumps(present(drawn, span), separators=(",", ":"))
            return gzip.compress(text.encode(), 5, mtime=0)

        return self._for_scripts.get(context, (cluster_id, tuple(charts), span), encode)


def present(drawings: Iterable[Drawing], span: str) -> dict[str, object]:
    """Charts as charts/numbers.js reads them. All points of a line are one text, since that
    costs a fraction of so many numbers."""
    found = list(drawings)
    return {
        "start": found[0].start if found else 0,
        "step": found[0].step if found else 1,
        "span": SPANS[span][0],
        "live": span == LIVE_SPAN,
        "charts": {drawing.chart.id: _present_chart(drawing) for drawing in found},
    }


def _present_chart(drawing: Drawing) -> dict[str, object]:
    chart = drawing.chart
    return {
        "kind": chart.kind,
        "stacked": chart.is_stacked,
        "top": chart.top,
        "lines": [
            {
                "label": each.line.label,
                "plus": each.line.plus,
                "minus": each.line.minus,
                "factor": each.line.factor,
                "tone": each.line.tone,
                "limit": each.line.is_limit,
                "mean": shorten(each.mean),
                "max": shorten(each.greatest),
                "values": _write_points(each.points),
            }
            for each in drawing.lines
        ],
    }


def _write_points(points: Points) -> str:
    """With as many digits as ``shorten`` leaves; nothing between two commas is a gap."""
    return ",".join(["" if point is None else f"{point:.4g}" for point in points])


@dataclass
class _Kept(Generic[_Drawn]):
    """``newest``: the second that was sampled last when it was drawn."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    drawn: _Drawn | None = None
    until: float = 0.0
    newest: int = 0


class _Shelf(Generic[_Drawn]):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[_Key, _Kept[_Drawn]] = {}

    def get(self, context: Context, key: _Key, make: Callable[[], _Drawn]) -> _Drawn:
        """What is kept, if it is still good enough; else what ``make`` makes."""
        span = key[2]
        with self._lock:
            kept = self._kept.pop(key) if key in self._kept else _Kept()
            self._kept[key] = kept
            while len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        with kept.lock:
            newest = context.samples.wait_beyond(0, 0) if span == LIVE_SPAN else 0
            if kept.drawn is None or kept.until <= time.monotonic() or kept.newest != newest:
                kept.drawn = make()
                kept.until, kept.newest = time.monotonic() + _KEPT[span], newest
            return kept.drawn
