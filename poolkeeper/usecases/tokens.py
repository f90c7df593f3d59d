"""API tokens: who may do what."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from poolkeeper.domain.errors import (
    InvalidField,
    InvalidRequest,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.tokens import (
    ADMIN,
    Token,
    check_token_name,
    hash_value,
    parse_scopes,
)
from poolkeeper.store import events, tokens
from poolkeeper.usecases.context import Context

_TOUCH_EVERY = timedelta(minutes=1)


def authenticate(context: Context, value: str) -> Token:
    """The token of that value. Raises Unauthenticated."""
    value_hash = hash_value(value)
    if value_hash is None:
        raise Unauthenticated
    with context.store.read() as tx:
        token = tokens.find_token(tx, value_hash)
        now = tx.now
    if token is None or not token.is_valid(now):
        raise Unauthenticated
    if token.last_used_at is None or now - token.last_used_at >= _TOUCH_EVERY:
        # Knowing when a token was used is not worth refusing a read while the disk is full.
        with suppress(Unavailable), context.store.write(durable=False) as tx:
            tokens.touch_token(tx, token.id)
    return token


def list_tokens(context: Context) -> list[Token]:
    """All tokens, without their values."""
    with context.store.read() as tx:
        return tokens.list_tokens(tx)


def create_token(
    context: Context,
    actor: str,
    name: str,
    scopes: list[str],
    expires_in_seconds: int | None = None,
) -> tuple[Token, str]:
    """A new token and its value, which is shown this once. Raises InvalidRequest."""
    if expires_in_seconds is not None and expires_in_seconds < 1:
        raise InvalidField("expires_in_seconds", "a number of seconds from 1")
    granted = parse_scopes(scopes)
    check_token_name(name)
    value = context.random_bytes(32).hex()
    with context.store.write() as tx:
        token = _token(context, name, granted, tx.now, expires_in_seconds)
        tokens.insert_token(tx, token, str(hash_value(value)))
        detail: dict[str, object] = {"scopes": sorted(granted)}
        if token.expires_at is not None:
            detail["expires_at"] = token.expires_at.isoformat(timespec="seconds")
        events.add_event(tx, Event(EventKind.TOKEN_CREATE, actor, token.name, None, detail))
    return token, value


def delete_token(context: Context, actor: str, token_id: str) -> None:
    """Revoke a token. Raises NotFound, InvalidRequest for the last one that administers."""
    with context.store.write() as tx:
        known = {token.id: token for token in tokens.list_tokens(tx)}
        gone = known.pop(token_id, None)
        if not any(token.allows(ADMIN) and token.expires_at is None for token in known.values()):
            raise InvalidRequest("the last lasting admin token cannot be revoked; create another")
        if gone is None:
            raise NotFound("not found")
        tokens.delete_token(tx, token_id)
        detail = {"id": token_id, "before": {"scopes": sorted(gone.scopes)}}
        events.add_event(tx, Event(EventKind.TOKEN_DELETE, actor, gone.name, None, detail))


def _token(
    context: Context,
    name: str,
    scopes: frozenset[str],
    now: datetime,
    expires_in_seconds: int | None,
) -> Token:
    expires = None if expires_in_seconds is None else now + timedelta(seconds=expires_in_seconds)
    return Token(context.random_bytes(8).hex(), check_token_name(name), scopes, now, expires)
