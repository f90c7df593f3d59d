"""Telling a call that is made again, because its answer got lost, from one that asks twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from poolkeeper.domain.errors import NameTaken, Unavailable
from poolkeeper.domain.repeats import REPEAT_WINDOW, Call, Unanswered, is_repeated
from poolkeeper.store import unanswered
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.attempts import Attempt
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import Intent

_Created = TypeVar("_Created")


class FirstUnderWay(NameTaken):
    """An equal call, whose caller hung up or makes it again, has not come to its end."""

    def __init__(self, kind: str, first: Attempt) -> None:
        super().__init__(kind)
        self.first = first


def note_creation(context: Context, tx: Transaction, attempt: Attempt | None, made: Intent) -> None:
    """Remember with a creation, in its transaction, that its answer is still to be delivered.

    If its client has a name for the call, that is remembered whatever comes of the answer.
    ``attempt`` None: nobody would ask for it again.
    """
    if attempt is None:
        return
    unanswered.put_unanswered(tx, _describe(attempt.call, tx, made))
    if attempt.named is not None:
        unanswered.put_unanswered(tx, _describe(attempt.named, tx, made))
    context.attempts.take_over(attempt)


def demand_repetition(
    context: Context, tx: Transaction, attempt: Attempt | None, standing: Intent
) -> None:
    """Return if the call asks again for what is there (``standing``); it is then its answer.

    Raises NameTaken if not; FirstUnderWay if that is to be seen, see `commit_or_await`.
    """
    kind = standing.subject.partition(":")[0]
    if attempt is None:
        raise NameTaken(kind)
    is_same = _was_created_by(tx, attempt.named, standing)
    if not is_same and not _was_created_by(tx, attempt.call, standing):
        raise NameTaken(kind)
    first = context.attempts.find_bearer(attempt.call)
    if first is not None:
        raise FirstUnderWay(kind, first) if is_same or first.abandoned else NameTaken(kind)
    context.attempts.take_over(attempt)


def commit_or_await(context: Context, commit: Callable[[], _Created]) -> _Created:
    """Run ``commit``; while an abandoned call for the same is under way, wait for its outcome.

    Raises Unavailable when that takes longer than a call may wait.
    """
    deadline = time.monotonic() + context.wait_seconds
    while True:
        try:
            return commit()
        except FirstUnderWay as error:
            if not error.first.ended.wait(max(deadline - time.monotonic(), 0)):
                raise Unavailable(
                    "the same call, made before, is still under way; try again"
                ) from error


def forget_answered(context: Context, call: Call) -> None:
    """The answer was handed to a connection that was open: an equal call is a new one.

    What nobody has asked for again in all the time is forgotten along with it.
    """
    # Whatever hinders it, such as a full disk: the worst is that an equal call is answered, too.
    with suppress(Unavailable), context.store.write(durable=False) as tx:
        unanswered.forget_call(tx, call)
        unanswered.forget_older(tx, tx.now - REPEAT_WINDOW)


def _was_created_by(tx: Transaction, call: Call | None, standing: Intent) -> bool:
    if call is None:
        return False
    return is_repeated(unanswered.find_unanswered(tx, call), _describe(call, tx, standing))


def _describe(call: Call, tx: Transaction, what: Intent) -> Unanswered:
    return Unanswered(call, tx.now, what.cluster_id, what.subject, what.generation)
