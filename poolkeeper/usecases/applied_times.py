"""How long changes took until they were in force, on their way into the audit trail."""

from __future__ import annotations

import threading
from contextlib import suppress

from poolkeeper.domain.errors import Unavailable
from poolkeeper.store import events
from poolkeeper.store.database import Store


class AppliedTimes:
    """Writes them down in a thread of its own, all that wait at once. For any thread.

    Writes come one after the other: an answer that waited for this one would wait for those
    of all others, too. What a death of this process takes along is missing afterwards.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, int] = {}
        self._is_writing = False

    def note(self, store: Store, event_id: int, seconds: float) -> None:
        """Have it written down that what this entry tells of was in force after that time."""
        with self._lock:
            self._waiting[event_id] = round(seconds * 1000)
            if self._is_writing:
                return
            self._is_writing = True
        try:
            threading.Thread(target=self._write, args=(store,), daemon=True).start()
        except RuntimeError:
            # No thread can be had, or Python is about to end: the next one has it along.
            self._is_writing = False

    def _write(self, store: Store) -> None:
        try:
            while taken := self._take():
                # Whatever hinders it, such as a full disk, is no reason to keep them.
                with suppress(Unavailable), store.write(durable=False) as tx:
                    events.put_applied(tx, taken)
        except BaseException:
            self._is_writing = False
            raise

    def _take(self) -> dict[int, int]:
        """All that wait; if none do, this thread is done."""
        with self._lock:
            taken, self._waiting = self._waiting, {}
            self._is_writing = bool(taken)
            return taken
