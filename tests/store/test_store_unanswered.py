"""Creations whose answer has not reached its caller."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from locations import START

from poolkeeper.domain.repeats import Call, Unanswered
from poolkeeper.store import unanswered
from poolkeeper.store.database import Store

CALL = Call("token", "digest")
CREATED = Unanswered(CALL, START, uuid4(), "pool:web", 7)


def test_round_trip(store: Store) -> None:
    with store.write() as tx:
        unanswered.put_unanswered(tx, CREATED)
    with store.read() as tx:
        assert unanswered.find_unanswered(tx, CALL) == CREATED
        assert unanswered.find_unanswered(tx, Call("other", "digest")) is None
        assert unanswered.find_unanswered(tx, Call("token", "other")) is None


def test_of_equal_calls_the_latest_counts(store: Store) -> None:
    later = replace(CREATED, at=START + timedelta(hours=1), generation=9)
    with store.write() as tx:
        unanswered.put_unanswered(tx, CREATED)
        unanswered.put_unanswered(tx, later)
        assert unanswered.find_unanswered(tx, CALL) == later


def test_an_answered_call_is_forgotten(store: Store) -> None:
    other = replace(CREATED, call=Call("token", "other"))
    with store.write() as tx:
        unanswered.put_unanswered(tx, CREATED)
        unanswered.put_unanswered(tx, other)
        unanswered.forget_call(tx, CALL)
        unanswered.forget_call(tx, Call("never", "made"))
        assert unanswered.find_unanswered(tx, CALL) is None
        assert unanswered.find_unanswered(tx, other.call) == other


def test_what_was_taken_back_is_forgotten(store: Store) -> None:
    with store.write() as tx:
        unanswered.put_unanswered(tx, CREATED)
        # Another cluster's, another pool, the same pool made anew.
        unanswered.forget_creation(tx, uuid4(), CREATED.subject, CREATED.generation)
        unanswered.forget_creation(tx, CREATED.cluster_id, "pool:other", CREATED.generation)
        unanswered.forget_creation(tx, CREATED.cluster_id, CREATED.subject, 8)
        assert unanswered.find_unanswered(tx, CALL) == CREATED
        unanswered.forget_creation(tx, CREATED.cluster_id, CREATED.subject, CREATED.generation)
        assert unanswered.find_unanswered(tx, CALL) is None


def test_old_ones_are_forgotten(store: Store) -> None:
    with store.write() as tx:
        unanswered.put_unanswered(tx, CREATED)
        unanswered.forget_older(tx, START)
        assert unanswered.find_unanswered(tx, CALL) == CREATED
        unanswered.forget_older(tx, START + timedelta(microseconds=1))
        assert unanswered.find_unanswered(tx, CALL) is None
