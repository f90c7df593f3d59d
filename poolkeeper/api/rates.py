"""How many calls a token may make: DigitalOcean's limits, headers and error."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

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


class RateLimits:
    """Calls of each token, counted from its first one on for an hour and for a minute.

    0: any number. Counted in memory, two numbers a token: a new control plane begins anew.
    For the event loop's thread.
    """

    def __init__(self, hour: int = 0, minute: int = 0) -> None:
        self._hour = RateLimitItemPerHour(hour) if hour else None
        self._minute = RateLimitItemPerMinute(minute) if minute else None
        storage = MemoryStorage()
        storage.timer = _NoSweep(0, lambda: None)
        self._limiter = FixedWindowRateLimiter(storage)

    def spend(self, token_id: str) -> Allowance | None:
        """Count a call; what is left of the hour, or of what is exceeded. None without limits.

        A call that the minute does not allow does not count for the hour.
        """
        shown = None
        for item, span in ((self._minute, "a minute"), (self._hour, "an hour")):
            if item is None:
                continue
            if not self._limiter.hit(item, token_id):
                return self._describe(item, token_id, f"{item.amount} calls {span}")
            shown = item
        return None if shown is None else self._describe(shown, token_id)

    def _describe(
        self, item: RateLimitItem, token_id: str, exceeded: str | None = None
    ) -> Allowance:
        window = self._limiter.get_window_stats(item, token_id)
        return Allowance(item.amount, window.remaining, window.reset_time, exceeded)


class _NoSweep(threading.Timer):
    """Keeps the storage from starting a thread at each call, to look for what ran out.

    A counter that did is renewed when it is next looked at, and there are no more of them
    than tokens.
    """

    def is_alive(self) -> bool:
        return True
