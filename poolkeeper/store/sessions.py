"""Sessions of the panel and links to sign in: of each value only a hash.

Both go with their token: a revoked one ends what it began.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Table, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from poolkeeper.domain.errors import Unauthenticated
from poolkeeper.domain.sessions import Session, SignInLink
from poolkeeper.domain.tokens import Token
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import panel_sessions, sign_in_links, tokens
from poolkeeper.store.tokens import to_token


def insert_session(tx: Transaction, value_hash: str, token: Token) -> Session:
    """A new session, as of now. Raises as ``insert_link``."""
    row = {
        "value_hash": value_hash,
        "token_id": token.id,
        "created_at": tx.now,
        "last_used_at": tx.now,
    }
    _insert(tx, panel_sessions, row)
    return Session(token, tx.now, tx.now)


def find_session(tx: Transaction, value_hash: str) -> Session | None:
    """The session whose value has that hash; it may be over by now."""
    query = (
        select(
            tokens,
            panel_sessions.c.created_at.label("begun_at"),
            panel_sessions.c.last_used_at.label("used_at"),
        )
        .join(panel_sessions, panel_sessions.c.token_id == tokens.c.id)
        .where(panel_sessions.c.value_hash == value_hash)
    )
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else Session(to_token(row), row.begun_at, row.used_at)


def touch_session(tx: Transaction, value_hash: str) -> None:
    """Note that a session is in use. A write: not for each request, once a minute will do."""
    own = panel_sessions.c.value_hash == value_hash
    tx.connection.execute(update(panel_sessions).where(own).values(last_used_at=tx.now))


def delete_session(tx: Transaction, value_hash: str) -> bool:
    """End a session; whether there was one."""
    own = panel_sessions.c.value_hash == value_hash
    return tx.connection.execute(delete(panel_sessions).where(own)).rowcount > 0


def purge_sessions(tx: Transaction, *, begun_before: datetime, used_before: datetime) -> None:
    """Forget the sessions that are over."""
    over = or_(
        panel_sessions.c.created_at <= begun_before, panel_sessions.c.last_used_at <= used_before
    )
    tx.connection.execute(delete(panel_sessions).where(over))


def insert_link(tx: Transaction, value_hash: str, token: Token) -> SignInLink:
    """A new link, as of now.

    Raises Unauthenticated if its token is gone by now; the transaction must end then.
    """
    row = {"value_hash": value_hash, "token_id": token.id, "created_at": tx.now}
    _insert(tx, sign_in_links, row)
    return SignInLink(token, tx.now)


def take_link(tx: Transaction, value_hash: str) -> SignInLink | None:
    """The link whose value has that hash, which is gone by that; it may have expired."""
    query = (
        select(tokens, sign_in_links.c.created_at.label("made_at"))
        .join(sign_in_links, sign_in_links.c.token_id == tokens.c.id)
        .where(sign_in_links.c.value_hash == value_hash)
    )
    row = tx.connection.execute(query).one_or_none()
    if row is None:
        return None
    own = sign_in_links.c.value_hash == value_hash
    tx.connection.execute(delete(sign_in_links).where(own))
    return SignInLink(to_token(row), row.made_at)


def purge_links(tx: Transaction, *, made_before: datetime) -> None:
    """Forget the links that have expired."""
    over = sign_in_links.c.created_at <= made_before
    tx.connection.execute(delete(sign_in_links).where(over))


def _insert(tx: Transaction, table: Table, row: dict[str, object]) -> None:
    try:
        tx.connection.execute(insert(table).values(row))
    except IntegrityError as error:
        # Values are 256 bits of chance, so what is missing is the token.
        raise Unauthenticated from error
