"""Rates from counters that only grow: the difference of two readings over the time between."""

from __future__ import annotations

from collections.abc import Mapping

Counters = Mapping[str, float]


class Rates:
    """Remembers the last reading of one set of counters.

    A counter that is smaller than before began anew with its server: how far it had come in
    between nobody knows, so there is no rate then. Nor is there one over a long pause: it
    would be shown as one second's.
    """

    def __init__(self, longest: float = 5.0) -> None:
        self._longest = longest
        self._at = 0.0
        self._counters: Counters | None = None

    def forget(self) -> None:
        """What is read next may be another server's."""
        self._counters = None

    def advance(self, at: float, counters: Counters) -> dict[str, float | None]:
        """The growth of each counter per second since the last reading; ``at`` is monotonic."""
        before, passed = self._counters, at - self._at
        self._at, self._counters = at, dict(counters)
        if before is None or not 0 < passed <= self._longest:
            return dict.fromkeys(counters)
        return {name: _rate(before.get(name), number, passed) for name, number in counters.items()}


def _rate(before: float | None, now: float, passed: float) -> float | None:
    return None if before is None or now < before else (now - before) / passed
