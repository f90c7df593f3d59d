"""API tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from locations import START
from sqlalchemy.exc import IntegrityError

from poolkeeper.domain.tokens import ADMIN, READ, UPDATE, Token
from poolkeeper.store import tokens
from poolkeeper.store.database import Store

ROOT = Token("1", "root", frozenset({ADMIN}), START)
CI = Token("2", "ci", frozenset({READ, UPDATE}), START, expires_at=START + timedelta(days=1))


def test_round_trip(store: Store) -> None:
    with store.write() as tx:
        tokens.insert_token(tx, ROOT, "hash of root")
        tokens.insert_token(tx, CI, "hash of ci")
    with store.read() as tx:
        assert tokens.find_token(tx, "hash of root") == ROOT
        assert tokens.find_token(tx, "hash of ci") == CI
        assert tokens.find_token(tx, "another") is None
        assert tokens.list_tokens(tx) == [CI, ROOT]


def test_touch(store: Store) -> None:
    with store.write() as tx:
        tokens.insert_token(tx, CI, "hash")
    with store.write() as tx:
        tokens.touch_token(tx, CI.id)
        tokens.touch_token(tx, "none")
        assert tokens.find_token(tx, "hash") == replace(CI, last_used_at=tx.now)


def test_delete(store: Store) -> None:
    with store.write() as tx:
        tokens.insert_token(tx, ROOT, "hash of root")
        tokens.insert_token(tx, CI, "hash of ci")
        assert tokens.delete_token(tx, CI.id)
        assert not tokens.delete_token(tx, CI.id)
        assert tokens.find_token(tx, "hash of ci") is None
        assert tokens.list_tokens(tx) == [ROOT]


def test_two_tokens_of_one_value_cannot_be(store: Store) -> None:
    with pytest.raises(IntegrityError), store.write() as tx:
        tokens.insert_token(tx, ROOT, "hash")
        tokens.insert_token(tx, CI, "hash")
