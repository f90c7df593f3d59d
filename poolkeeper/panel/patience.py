"""How long a sign-in is kept waiting, the longer the more have failed before it.

Tokens are too long to be guessed; this keeps guessing from costing the store anything, and
from filling the log. Waiting holds no thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_FREE_ATTEMPTS = 3
_LONGEST_DELAY = 5.0
_FORGET_AFTER = 15 * 60.0
_MOST_ADDRESSES = 10_000
# Failures of everybody in a quarter of an hour, from which on each failure costs a second.
_MANY_FAILURES = 100
_COMMON_DELAY = 1.0
_MOST_WAITING = 64
_MOST_WAITING_OF_ONE = 4


class TooMany(Exception):
    """So many wait already that this attempt is refused."""


@dataclass
class _Record:
    failures: int = 0
    last: float = 0.0
    waiting: int = 0


class Patience:
    """Failed sign-ins by address, and of everybody. Used from the event loop alone."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._everybody = _Record()

    async def wait_turn(self, address: str) -> None:
        """Wait as long as the failures of that address ask for. Raises TooMany."""
        record = self._look_up(address)
        await self._wait(record, _delay(record.failures))

    async def note_failure(self, address: str) -> None:
        """Count a failure; when there are many by everybody, wait a moment."""
        for record in (self._look_up(address), self._refresh(self._everybody)):
            record.failures += 1
            record.last = self._clock()
        if self._everybody.failures > _MANY_FAILURES:
            await self._wait(self._everybody, _COMMON_DELAY)

    def note_success(self, address: str) -> None:
        """Forget the failures of that address."""
        self._records.pop(address, None)

    async def _wait(self, record: _Record, seconds: float) -> None:
        if not seconds:
            return
        most = _MOST_WAITING if record is self._everybody else _MOST_WAITING_OF_ONE
        total = sum(one.waiting for one in self._records.values())
        if record.waiting >= most or total >= _MOST_WAITING:
            raise TooMany
        record.waiting += 1
        try:
            await self._sleep(seconds)
        finally:
            record.waiting -= 1

    def _look_up(self, address: str) -> _Record:
        record = self._refresh(self._records.setdefault(address, _Record(last=self._clock())))
        self._records.move_to_end(address)
        while len(self._records) > _MOST_ADDRESSES:
            self._records.popitem(last=False)
        return record

    def _refresh(self, record: _Record) -> _Record:
        if self._clock() - record.last > _FORGET_AFTER:
            record.failures = 0
        return record


def _delay(failures: int) -> float:
    if failures < _FREE_ATTEMPTS:
        return 0.0
    return min(0.25 * 2.0 ** min(failures - _FREE_ATTEMPTS, 10), _LONGEST_DELAY)
