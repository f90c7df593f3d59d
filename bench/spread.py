"""Many measurements of one thing, as a few numbers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The median, the 95th percentile (nearest rank) and both ends, of ``count`` values."""

    median: float
    p95: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if not values:
            raise ValueError("nothing was measured")
        ordered = sorted(values)
        rank = -(-95 * len(ordered) // 100)
        return cls(
            statistics.median(ordered), ordered[rank - 1], ordered[0], ordered[-1], len(ordered)
        )

    def in_ms(self) -> str:
        """Seconds as ``median 42 ms, p95 80, 31–95``."""
        median, p95, least, most = (
            _shorten(value * 1000) for value in (self.median, self.p95, self.least, self.most)
        )
        return f"median {median} ms, p95 {p95}, {least}–{most} (n = {self.count})"

    def in_seconds(self) -> str:
        """Seconds as ``median 0.21 s (0.20–0.25)``."""
        return f"median {self.median:.2f} s ({self.least:.2f}–{self.most:.2f}, n = {self.count})"

    def as_ratio(self) -> str:
        """``0.991 (0.968–1.012)``, the median and both ends."""
        return f"{self.median:.3f} ({self.least:.3f}–{self.most:.3f}, n = {self.count})"


def _shorten(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
