"""Creations whose answer has not reached its caller; written with them, in one transaction."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, select

from poolkeeper.domain.repeats import Call, Unanswered
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import unanswered


def put_unanswered(tx: Transaction, creation: Unanswered) -> None:
    """Note a creation. Of equal calls the latest counts."""
    forget_call(tx, creation.call)
    row = {
        "token_id": creation.call.token_id,
        "digest": creation.call.digest,
        "at": creation.at,
        "cluster_id": creation.cluster_id,
        "subject": creation.subject,
        "generation": creation.generation,
    }
    tx.connection.execute(insert(unanswered).values(row))


def find_unanswered(tx: Transaction, call: Call) -> Unanswered | None:
    """What an equal call created, unless its answer was delivered."""
    row = tx.connection.execute(select(unanswered).where(*_is_of(call))).one_or_none()
    if row is None:
        return None
    return Unanswered(call, row.at, row.cluster_id, row.subject, row.generation)


def forget_call(tx: Transaction, call: Call) -> None:
    """The answer was delivered."""
    tx.connection.execute(delete(unanswered).where(*_is_of(call)))


def forget_creation(tx: Transaction, cluster_id: UUID, subject: str, generation: int) -> None:
    """What was created has been taken back."""
    table = unanswered.c
    which = (table.cluster_id == cluster_id, table.subject == subject)
    tx.connection.execute(delete(unanswered).where(*which, table.generation == generation))


def forget_older(tx: Transaction, moment: datetime) -> None:
    """Whoever has not asked again by now will not."""
    tx.connection.execute(delete(unanswered).where(unanswered.c.at < moment))


def _is_of(call: Call) -> tuple[ColumnElement[bool], ...]:
    return unanswered.c.token_id == call.token_id, unanswered.c.digest == call.digest
