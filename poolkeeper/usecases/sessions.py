"""Signing in to the panel and out of it.

A session's value is 64 hexadecimal characters, like a token's, and is kept as a hash alike.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from poolkeeper.domain.errors import Unauthenticated, Unavailable
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.sessions import LINK_LIFETIME, Session, SignInLink
from poolkeeper.domain.tokens import Token, hash_value
from poolkeeper.store import events, sessions
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.tokens import authenticate

_TOUCH_EVERY = timedelta(minutes=1)


def sign_in(context: Context, token_value: str) -> tuple[Session, str]:
    """A new session by a token, and its value. Raises Unauthenticated, Unavailable."""
    token = authenticate(context, token_value)
    with context.store.write() as tx:
        return _begin(context, tx, token, "token")


def create_link(context: Context, token: Token) -> tuple[SignInLink, str]:
    """A link that signs in once, within minutes, as this token; and its value."""
    value = context.random_bytes(32).hex()
    with context.store.write() as tx:
        sessions.purge_links(tx, made_before=tx.now - LINK_LIFETIME)
        return sessions.insert_link(tx, str(hash_value(value)), token), value


def compose_path(value: str) -> str:
    """Where a link leads to, below the address of the API."""
    return f"/sign-in?link={value}"


def sign_in_by_link(context: Context, value: str) -> tuple[Session, str]:
    """A new session by a link, which is used up by that. Raises Unauthenticated, Unavailable."""
    value_hash = hash_value(value)
    if value_hash is None:
        raise Unauthenticated
    with context.store.write() as tx:
        link = sessions.take_link(tx, value_hash)
        if link is None or not link.is_valid(tx.now):
            raise Unauthenticated
        return _begin(context, tx, link.token, "link")


def find_session(context: Context, value: str, *, touch: bool = True) -> Session:
    """The session of that value. ``touch``: it is used, not only looked at.

    Raises Unauthenticated once it is over: signed out, too old, unused for too long, or
    its token revoked or expired.
    """
    value_hash = hash_value(value)
    if value_hash is None:
        raise Unauthenticated
    with context.store.read() as tx:
        session = sessions.find_session(tx, value_hash)
        now = tx.now
    if session is None or not session.is_valid(now, context.session_limits):
        raise Unauthenticated
    if touch and now - session.last_used_at >= _TOUCH_EVERY:
        # A page is shown even while the disk is full.
        with suppress(Unavailable), context.store.write(durable=False) as tx:
            sessions.touch_session(tx, value_hash)
    return session


def sign_out(context: Context, value: str) -> None:
    """End a session, if it is one."""
    value_hash = hash_value(value)
    if value_hash is not None:
        with context.store.write() as tx:
            sessions.delete_session(tx, value_hash)


def _begin(context: Context, tx: Transaction, token: Token, by: str) -> tuple[Session, str]:
    limits = context.session_limits
    sessions.purge_sessions(
        tx, begun_before=tx.now - limits.lifetime, used_before=tx.now - limits.idle
    )
    value = context.random_bytes(32).hex()
    session = sessions.insert_session(tx, str(hash_value(value)), token)
    detail = {"by": by}
    events.add_event(tx, Event(EventKind.PANEL_SIGN_IN, token.name, token.name, None, detail))
    return session, value
