"""A restart of PostgreSQL that is planned: clients of pools wait, and none of them is cut.

First it waits, over as many passes as it takes, for a moment in which nobody would be cut:
no transaction that lasts, no client of a session pool with a backend. All goes on meanwhile.
Then all pools are frozen and paused until their backends are gone, for moments only: if that
does not come about they go on, and the wait too. When the patience is over, whoever is left is
cut, unless the settings forbid that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.domain.maintenance import RestartCause, is_patience_over
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres import server
from poolkeeper.reconcile import postgres
from poolkeeper.reconcile.backends import Backends
from poolkeeper.reconcile.hold import Hold
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.pooler import Pooler

# A transaction of that age is taken for one that lasts.
_LASTING = 1.0
# Clients wait no longer than this in vain, and not again so soon; less often each time.
_SHORT_PAUSE = 2.0
_LONGEST_PAUSE = 5.0
_REST = 5.0
_LONGEST_REST = 300.0
_STOP_TIMEOUT = 60.0
_POLL = 0.02

_log = structlog.get_logger("poolkeeper.reconcile")


@dataclass(frozen=True)
class Restarted:
    """How a restart went. ``fault``: why the new configuration is not in force, or "".

    ``paused_ms``: how long clients had to wait; the counts: who was cut. ``pending``: what
    the restart did not cure.
    """

    paused_ms: int
    sessions: int
    transactions: int
    fault: str
    pending: tuple[str, ...] = ()
    max_connections: int = 0


class PlannedRestart:
    """Remembers only since when it waits, and until when it rests from pauses in vain."""

    def __init__(self, host: Host, paths: ClusterPaths, backends: Backends, pooler: Pooler) -> None:
        self._host = host
        self._paths = paths
        self._backends = backends
        self._pooler = pooler
        self._since: float | None = None
        self._rested_at, self._rest = 0.0, _REST
        self.obstacle = ""

    @property
    def is_near(self) -> bool:
        """Whether the moment may come any instant; later on, one looks now and then."""
        return self._measure_wait() < self._host.restart_wait

    def forget(self) -> None:
        """No restart is due, or not any more."""
        self._since, self.obstacle, self._rest = None, "", _REST

    def attempt(self, desired: Desired, cause: RestartCause) -> Restarted | None:
        """Restart if the moment is right; None if it is not yet, and ``obstacle`` says why.

        Raises EngineError, OSError; pools may be left paused then, for the next pass to find.
        """
        if self._since is None:
            self._since = time.monotonic()
        is_last = self._is_last(desired, cause)
        with contextlib.closing(Hold(self._paths, desired)) as hold:
            is_held_up = self._is_held_up(desired, hold)
            if not is_last and (is_held_up or time.monotonic() < self._rested_at):
                return None
            done = self._restart(desired, hold, is_last)
        if done is not None:
            self.forget()
        return done

    def _measure_wait(self) -> float:
        return 0.0 if self._since is None else time.monotonic() - self._since

    def _is_last(self, desired: Desired, cause: RestartCause) -> bool:
        """Whether nobody is waited for any more."""
        wait, window = self._host.restart_wait, desired.cluster.maintenance
        is_over = is_patience_over(cause, window, self._measure_wait(), wait, self._host.now())
        return is_over and self._host.restart_cuts

    def _is_held_up(self, desired: Desired, hold: Hold) -> bool:
        ages = self._backends.list_transactions(desired).values()
        lasting, sessions = sum(age > _LASTING for age in ages), hold.count_sessions()
        self.obstacle = (
            "PostgreSQL is about to be restarted; waited for are long transactions"
            f" ({lasting}) and clients in session mode ({sessions})"
        )
        return bool(lasting or sessions)

    def _restart(self, desired: Desired, hold: Hold, is_last: bool) -> Restarted | None:
        # What is to be written is written while clients are still served.
        self._backends.write_checkpoint(desired)
        began = time.monotonic()
        with self._pooler.frozen(desired), self._paused(hold):
            if not self._await_empty(desired, hold, is_last):
                if not is_last:
                    self._rested_at = time.monotonic() + self._rest
                    self._rest = min(self._rest * 2, _LONGEST_REST)
                    return None
                _log.warning("restart_cuts_transactions", cluster=desired.cluster.name)
            sessions = hold.count_sessions()
            transactions = len(self._backends.list_transactions(desired))
            self._backends.close()
            _stop(self._paths)
            fault = postgres.start(self._host, desired, self._paths)
        paused_ms = round((time.monotonic() - began) * 1000)
        return Restarted(paused_ms, sessions, transactions, fault)

    def _await_empty(self, desired: Desired, hold: Hold, is_last: bool) -> bool:
        """Whether a stop would cut nobody; at last, nobody but those who last.

        Who comes past the pools can begin transactions all the time: only those that are
        older than the pause are waited for.
        """
        began = time.monotonic()
        patience = self._host.limit_wait(_LONGEST_PAUSE if is_last else _SHORT_PAUSE)
        lasting = min(self._host.restart_wait, _LONGEST_PAUSE) if is_last else float("inf")
        while True:
            passed = time.monotonic() - began
            transactions = self._backends.list_transactions(desired)
            ages = {pid: age - passed for pid, age in transactions.items() if age > passed}
            expired = {pid for pid, age in ages.items() if age >= lasting}
            is_empty = hold.is_empty_but_for(expired) if is_last else hold.is_empty()
            if is_empty and ages.keys() <= expired:
                return True
            if passed > patience:
                return False
            time.sleep(_POLL)

    @contextlib.contextmanager
    def _paused(self, hold: Hold) -> Iterator[None]:
        try:
            hold.pause()
            yield
        finally:
            # Without a server clients rather wait for the next pass than fail.
            if postgres.is_running(self._paths):
                hold.resume()


def _stop(paths: ClusterPaths) -> None:
    """Raises ProcessFailed."""
    try:
        server.stop(paths, timeout=_STOP_TIMEOUT)
    except ProcessFailed:
        # A replica that does not read on, say. What is committed is recovered at the start.
        server.stop(paths, timeout=_STOP_TIMEOUT, mode="immediate")
