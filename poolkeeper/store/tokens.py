"""API tokens: of each value only a hash."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from poolkeeper.domain.tokens import Token
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import tokens


def insert_token(tx: Transaction, token: Token, value_hash: str) -> None:
    """Keep a new token."""
    row = {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "value_hash": value_hash,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }
    tx.connection.execute(insert(tokens).values(row))


def find_token(tx: Transaction, value_hash: str) -> Token | None:
    """The token whose value has that hash; it may have expired."""
    query = select(tokens).where(tokens.c.value_hash == value_hash)
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else to_token(row)


def list_tokens(tx: Transaction) -> list[Token]:
    """All of them, oldest first, expired ones included."""
    query = select(tokens).order_by(tokens.c.created_at, tokens.c.name, tokens.c.id)
    return [to_token(row) for row in tx.connection.execute(query)]


def delete_token(tx: Transaction, id: str) -> bool:
    """Revoke a token; whether there was one."""
    return tx.connection.execute(delete(tokens).where(tokens.c.id == id)).rowcount > 0


def touch_token(tx: Transaction, id: str) -> None:
    """Note that a token is in use. A write: not for each request, once a minute will do."""
    tx.connection.execute(update(tokens).where(tokens.c.id == id).values(last_used_at=tx.now))


def to_token(row: Row[Any]) -> Token:
    """A row that has the columns of ``tokens``."""
    return Token(
        id=row.id,
        name=row.name,
        scopes=frozenset(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
