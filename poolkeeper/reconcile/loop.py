"""When each cluster gets its next pass, and who makes it.

Level-triggered: every cluster has a due time, and a wake-up only moves it to now. One
cluster never has two passes at once; one that is slow holds up no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog

_WORKERS = 8
_ROLL_CALL_EVERY = 5.0
_AFTER_A_BUG = 10.0

_log = structlog.get_logger("poolkeeper.reconcile")


class Reconcilable(Protocol):
    """What the loop drives: see reconcile.cluster.ClusterReconciler."""

    def tick(self) -> float | None: ...

    def close(self) -> None: ...


@dataclass
class _Turn:
    target: Reconcilable
    due: float
    running: bool = False
    woken: bool = False


class Loop:
    """Runs passes in worker threads until stopped.

    ``list_ids``: all clusters there are, asked now and then; ``build``: the reconciler of one.
    """

    def __init__(
        self, list_ids: Callable[[], list[UUID]], build: Callable[[UUID], Reconcilable]
    ) -> None:
        self._list_ids = list_ids
        self._build = build
        self._turns: dict[UUID, _Turn] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="reconcile")
        self._scheduler = threading.Thread(target=self._run, name="reconcile-loop", daemon=True)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """Let running passes come to their end, then let go of everything."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._scheduler.join()
        self._workers.shutdown(wait=True)
        for turn in self._turns.values():
            turn.target.close()

    def wake(self, cluster_id: UUID) -> None:
        """A pass of this cluster is due now, another one if one is running."""
        with self._changed:
            turn = self._turns.get(cluster_id)
            if turn is None:
                turn = self._turns[cluster_id] = _Turn(self._build(cluster_id), 0.0)
            turn.woken = True
            turn.due = 0.0
            # Here and not in the scheduler: somebody waits, and a thread's turn costs them time.
            self._start_due()

    def _run(self) -> None:
        roll_call = 0.0
        while True:
            if time.monotonic() >= roll_call:
                self._call_roll()
                roll_call = time.monotonic() + _ROLL_CALL_EVERY
            with self._changed:
                if self._stopping:
                    return
                self._start_due()
                pending = [turn.due for turn in self._turns.values() if not turn.running]
                wait = min([*pending, roll_call]) - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)

    def _call_roll(self) -> None:
        try:
            ids = self._list_ids()
        except Exception:
            _log.exception("roll_call_failed")
            return
        with self._changed:
            for cluster_id in ids:
                if cluster_id not in self._turns:
                    self._turns[cluster_id] = _Turn(self._build(cluster_id), 0.0)

    def _start_due(self) -> None:
        if self._stopping:
            return
        now = time.monotonic()
        for cluster_id, turn in self._turns.items():
            if not turn.running and turn.due <= now:
                turn.running, turn.woken = True, False
                self._workers.submit(self._make_pass, cluster_id, turn)

    def _make_pass(self, cluster_id: UUID, turn: _Turn) -> None:
        try:
            pause = turn.target.tick()
        except Exception:
            _log.exception("pass_broke", cluster_id=str(cluster_id))
            pause = _AFTER_A_BUG
        with self._changed:
            turn.running = False
            if pause is None and not turn.woken:
                self._turns.pop(cluster_id, None)
            else:
                turn.due = 0.0 if turn.woken else time.monotonic() + (pause or 0.0)
            self._changed.notify_all()
