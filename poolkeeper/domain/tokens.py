"""API tokens and their scopes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from poolkeeper.domain.errors import Forbidden, InvalidField

READ = "database:read"
CREATE = "database:create"
UPDATE = "database:update"
DELETE = "database:delete"
VIEW_CREDENTIALS = "database:view_credentials"
ADMIN = "admin"

SCOPES = (READ, CREATE, UPDATE, DELETE, VIEW_CREDENTIALS, ADMIN)

_VALUE = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Token:
    """A token as it is stored; its value was shown once and is kept as a hash only."""

    id: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None

    def allows(self, scope: str) -> bool:
        """``admin`` allows everything."""
        return ADMIN in self.scopes or scope in self.scopes

    def demand(self, scope: str) -> None:
        """Raises Forbidden unless the token allows it."""
        if not self.allows(scope):
            raise Forbidden(scope)

    def is_valid(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


def hash_value(value: str) -> str | None:
    """How a token is stored and looked up; None if this cannot be a token.

    A plain SHA-256: the value has 256 bits of chance, so there is nothing to guess.
    """
    if not _VALUE.fullmatch(value):
        return None
    return hashlib.sha256(value.encode()).hexdigest()


def parse_scopes(texts: Iterable[str]) -> frozenset[str]:
    """The scopes, each of which must be known; at least one."""
    scopes = frozenset(texts)
    if not scopes:
        raise InvalidField("scopes", f"give at least one of {', '.join(SCOPES)}")
    unknown = sorted(scopes - set(SCOPES))
    if unknown:
        named = ", ".join(repr(scope) for scope in unknown)
        raise InvalidField("scopes", f"unknown: {named}; known: {', '.join(SCOPES)}")
    return scopes


def check_token_name(name: str) -> str:
    """The name, without blanks around it."""
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise InvalidField("name", "1 to 100 printable characters")
    return name
