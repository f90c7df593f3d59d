"""How many calls a token may make: DigitalOcean's limits, headers and error."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from poolkeeper.domain.errors import TooManyRequests


@dataclass(frozen=True)
class Allowance:
    """What is left to a token. ``reset``: when it has all of it again, in Unix seconds."""

    limit: int
    remaining: int
    reset: float
    exceeded: str | None = None

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """As DigitalOcean sends them with every answer."""
        reset = math.ceil(self.reset)
        named = {"limit": self.limit, "remaining": self.remaining, "reset": reset}
        return [
            (f"ratelimit-{name}".encode(), str(value).encode()) for name, value in named.items()
        ]

    def demand(self) -> None:
        """Raises TooManyRequests if this call was one too many."""
        if self.exceeded is not None:
            raise TooManyRequests(self.exceeded, max(math.ceil(self.reset - time.time()), 1))


@dataclass(frozen=True)
class _Limit:
    calls: int
    seconds: int
    span: str


@dataclass
class _Window:
    """Calls of one token, counted until ``ends``, in Unix seconds."""

    ends: float
    spent: int = 0


class RateLimits:
    """Calls of each token, counted from its first one on for an hour and for a minute.

    0: any number. Counted in memory, two numbers a token: a new control plane begins anew.
    For the event loop's thread.
    """

    def __init__(self, hour: int = 0, minute: int = 0) -> None:
        limits = _Limit(minute, 60, "a minute"), _Limit(hour, 3600, "an hour")
        self._limits = [limit for limit in limits if limit.calls]
        self._windows: dict[tuple[str, _Limit], _Window] = {}

    def spend(self, token_id: str) -> Allowance | None:
        """Count a call; what is left of the hour, or of what is exceeded. None without limits.

        A call that the minute does not allow does not count for the hour.
        """
        allowance = None
        for limit in self._limits:
            allowance = self._count(token_id, limit)
            if allowance.exceeded is not None:
                break
        return allowance

    def _count(self, token_id: str, limit: _Limit) -> Allowance:
        now = time.time()
        window = self._windows.get((token_id, limit))
        if window is None or window.ends <= now:
            window = self._windows[token_id, limit] = _Window(now + limit.seconds)
        window.spent += 1
        left = limit.calls - window.spent
        exceeded = f"{limit.calls} calls {limit.span}" if left < 0 else None
        return Allowance(limit.calls, max(left, 0), window.ends, exceeded)
