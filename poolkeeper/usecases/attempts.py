"""Attempts at calls that create something, and whose callers still wait for the answer."""

from __future__ import annotations

import threading

from poolkeeper.domain.repeats import Call


class Attempt:
    """One attempt at a call.

    ``named``: the call with its client's own name for it, which a repetition has again and no
    other call has; None if it has none. ``abandoned``: its caller hung up before there was an
    answer; set by the API. ``ended``: its answer was delivered, or has no one to go to.
    """

    def __init__(self, call: Call, named: Call | None = None) -> None:
        self.call = call
        self.named = named
        self.abandoned = False
        self.ended = threading.Event()


class Attempts:
    """Which attempt is to bring the answer for what a call created. For any thread.

    In memory: an attempt ends with its process, what it created does not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bearers: dict[Call, Attempt] = {}

    def take_over(self, attempt: Attempt) -> None:
        """From now on this attempt brings the answer; call within the write transaction."""
        with self._lock:
            self._bearers[attempt.call] = attempt

    def find_bearer(self, call: Call) -> Attempt | None:
        """The attempt under way that is to bring the answer."""
        with self._lock:
            return self._bearers.get(call)

    def end(self, attempt: Attempt) -> None:
        """The attempt is over, whatever came of it."""
        with self._lock:
            if self._bearers.get(attempt.call) is attempt:
                del self._bearers[attempt.call]
        attempt.ended.set()
