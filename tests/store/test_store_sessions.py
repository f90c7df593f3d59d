"""Sessions of the panel, and links to sign in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from locations import START

from poolkeeper.domain.errors import Unauthenticated
from poolkeeper.domain.sessions import Session
from poolkeeper.domain.tokens import READ, Token
from poolkeeper.store import sessions, tokens
from poolkeeper.store.database import Store

TOKEN = Token("1", "ci", frozenset({READ}), START)


def test_a_session_comes_with_its_token_and_goes_with_it(store: Store) -> None:
    with store.write() as tx:
        tokens.insert_token(tx, TOKEN, "hash of token")
        session = sessions.insert_session(tx, "hash", TOKEN)
        assert session == Session(TOKEN, tx.now, tx.now)
    with store.read() as tx:
        assert sessions.find_session(tx, "hash") == session
        assert sessions.find_session(tx, "another") is None
    with store.write() as tx:
        tokens.delete_token(tx, TOKEN.id)
        assert sessions.find_session(tx, "hash") is None


def test_a_session_is_touched_and_ended(store: Store) -> None:
    with store.write() as tx:
        tokens.insert_token(tx, TOKEN, "hash of token")
        begun = sessions.insert_session(tx, "hash", TOKEN)
    with store.write() as tx:
        sessions.touch_session(tx, "hash")
        found = sessions.find_session(tx, "hash")
        assert found is not None
        assert (found.created_at, found.last_used_at) == (begun.created_at, tx.now)
        assert sessions.delete_session(tx, "hash")
        assert not sessions.delete_session(tx, "hash")


def test_old_sessions_are_forgotten(store: Store) -> None:
    with store.write() as tx:
        tokens.insert_token(tx, TOKEN, "hash of token")
        sessions.insert_session(tx, "hash", TOKEN)
        before, after = tx.now - timedelta(seconds=1), tx.now
        sessions.purge_sessions(tx, begun_before=before, used_before=before)
        assert sessions.find_session(tx, "hash") is not None
        sessions.purge_sessions(tx, begun_before=before, used_before=after)
        assert sessions.find_session(tx, "hash") is None


def test_a_link_is_taken_once(store: Store) -> None:
    with store.write() as tx:
        tokens.insert_token(tx, TOKEN, "hash of token")
        link = sessions.insert_link(tx, "hash", TOKEN)
    with store.write() as tx:
        assert sessions.take_link(tx, "hash") == link
        assert sessions.take_link(tx, "hash") is None


def test_old_links_are_forgotten(store: Store) -> None:
    with store.write() as tx:
        tokens.insert_token(tx, TOKEN, "hash of token")
        link = sessions.insert_link(tx, "hash", TOKEN)
        sessions.purge_links(tx, made_before=link.created_at)
        assert sessions.take_link(tx, "hash") is None


def test_a_session_takes_a_token_that_is_there(store: Store) -> None:
    """It may have been revoked since it was shown."""
    with pytest.raises(Unauthenticated), store.write() as tx:
        sessions.insert_session(tx, "hash", TOKEN)
    with pytest.raises(Unauthenticated), store.write() as tx:
        sessions.insert_link(tx, "hash", TOKEN)
