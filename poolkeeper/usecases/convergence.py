"""Waiting until a change that was asked for is in force: what the API answered is true."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.errors import NotFound, NotReady, Refused, Unavailable
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.store import clusters, events, status, unanswered
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.context import Context

# A wake-up may be lost (it only shortens this sleep), the store is what counts.
_LONGEST_SLEEP = 0.25

# Clients give up at some time; azure-core, which pydo is made of, after 300 s.
_LONGEST_WAIT = 120.0


@dataclass(frozen=True)
class Intent:
    """A change that was committed: of what (``pool:web``), and as which generation.

    ``event_id``: its entry in the audit trail; None if this call made none. ``find_blame``: what
    of it a refusal of the subject is about; None if that is about a change of somebody else's,
    who will take it back. Without it, the subject itself is to blame.
    """

    cluster_id: UUID
    subject: str
    generation: int
    event_id: int | None = None
    find_blame: Callable[[Transaction, str], str | None] | None = None

    def name_fault(self, tx: Transaction, reason: str) -> str | None:
        """What a refusal's message begins with."""
        if self.find_blame is not None:
            return self.find_blame(tx, reason)
        return self.subject.partition(":")[0]


def require_cluster(tx: Transaction, cluster_id: UUID) -> Cluster:
    """The live cluster of that id. Raises NotFound."""
    cluster = clusters.find_cluster(tx, cluster_id)
    if cluster is None:
        raise NotFound("cluster not found")
    return cluster


def await_online(context: Context, cluster_id: UUID) -> None:
    """Return once the cluster's creation came to its end. Raises NotFound, NotReady."""
    deadline = time.monotonic() + context.wait_seconds
    while True:
        seen = context.changes.version(cluster_id)
        with context.store.read() as tx:
            cluster = require_cluster(tx, cluster_id)
            state = status.read_cluster_state(tx, cluster_id)
        if state is not None and state.was_online:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            why = f": {state.reason}" if state and state.reason else ""
            raise NotReady(f"cluster {cluster.name!r} is still being created{why}; try again later")
        context.changes.wait_beyond(cluster_id, seen, min(left, _LONGEST_SLEEP))


def await_in_force(
    context: Context,
    actor: str,
    intent: Intent,
    withdraw: Callable[[Transaction], None] | None,
) -> None:
    """Announce a committed change and return once it is in force.

    When it is refused, or nothing at all was done for ``wait_seconds``, ``withdraw`` takes it back
    in a transaction of its own and Refused or Unavailable is raised: nothing is applied.
    With ``withdraw`` None the change stands whatever happens, and is only waited for. Raises
    NotFound if the cluster is deleted meanwhile.
    """
    committed = time.monotonic()
    seen = context.changes.version(intent.cluster_id)
    patience = _Patience(context, intent.cluster_id)
    context.changes.announce(intent.cluster_id)
    while True:
        left = patience.measure()
        seen = context.changes.wait_beyond(intent.cluster_id, seen, min(left, _LONGEST_SLEEP))
        outcome = _look(context, intent)
        if outcome.settled or left <= 0:
            break
    if outcome.in_force and intent.event_id is not None:
        seconds = time.monotonic() - committed
        context.applied_times.note(context.store, intent.event_id, seconds)
    if outcome.in_force or withdraw is None:
        return
    _take_back(context, actor, intent, withdraw, time.monotonic() - committed)


class _Patience:
    """How long to wait on: while what others asked of the cluster gets done, one's turn comes."""

    def __init__(self, context: Context, cluster_id: UUID) -> None:
        self._context, self._id = context, cluster_id
        now = time.monotonic()
        self._steps = context.changes.steps(cluster_id)
        self._deadline = now + context.wait_seconds
        self._latest = now + max(context.wait_seconds, _LONGEST_WAIT)

    def measure(self) -> float:
        """The seconds that are left."""
        now, steps = time.monotonic(), self._context.changes.steps(self._id)
        if steps != self._steps:
            self._steps = steps
            self._deadline = min(now + self._context.wait_seconds, self._latest)
        return self._deadline - now


@dataclass(frozen=True)
class _Outcome:
    in_force: bool
    refusal: str | None
    reason: str

    @property
    def settled(self) -> bool:
        return self.in_force or self.refusal is not None


def _look(context: Context, intent: Intent) -> _Outcome:
    try:
        with context.store.read() as tx:
            return _read_outcome(tx, intent)
    except Unavailable as error:
        # The change is committed: an error now would say that it is not.
        return _Outcome(False, None, str(error))


def _read_outcome(tx: Transaction, intent: Intent) -> _Outcome:
    # Of a deleted one all is in force once its servers are stopped.
    require_cluster(tx, intent.cluster_id)
    failure = status.read_failures(tx, intent.cluster_id).get(intent.subject)
    if failure is not None and failure.generation >= intent.generation:
        fault = intent.name_fault(tx, failure.reason)
        refusal = None if fault is None else f"{fault}: {failure.reason}"
        return _Outcome(False, refusal, failure.reason)
    state = status.read_cluster_state(tx, intent.cluster_id)
    if state is None:
        return _Outcome(False, None, "")
    return _Outcome(state.applied_generation >= intent.generation, None, state.reason)


def _take_back(
    context: Context,
    actor: str,
    intent: Intent,
    withdraw: Callable[[Transaction], None],
    waited: float,
) -> None:
    try:
        outcome = _withdraw(context, actor, intent, withdraw)
    except Unavailable as error:
        raise Unavailable(
            "the change could not be taken back, as the store is unavailable, and may come in force"
            " yet; look before you try again"
        ) from error
    if outcome.in_force:
        return
    context.changes.announce(intent.cluster_id)
    if outcome.refusal is not None:
        raise Refused(outcome.refusal)
    why = f" ({outcome.reason})" if outcome.reason else ""
    seconds = max(context.wait_seconds, round(waited))
    raise Unavailable(
        f"the change was not in force after {seconds:g} s{why} and was taken back; try again"
    )


def _withdraw(
    context: Context, actor: str, intent: Intent, withdraw: Callable[[Transaction], None]
) -> _Outcome:
    with context.store.write() as tx:
        # It may have come in force between the last look and this transaction.
        outcome = _read_outcome(tx, intent)
        if outcome.in_force:
            return outcome
        withdraw(tx)
        unanswered.forget_creation(tx, intent.cluster_id, intent.subject, intent.generation)
        events.add_event(
            tx,
            Event(
                EventKind.CHANGE_WITHDRAWN,
                actor,
                intent.subject,
                intent.cluster_id,
                {"reason": outcome.reason},
            ),
        )
    return outcome
