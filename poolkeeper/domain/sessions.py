"""Sessions of the panel: who is signed in, by which token, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from poolkeeper.domain.tokens import Token

LINK_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class SessionLimits:
    """When a session ends by itself: after a time without use, and in any case."""

    idle: timedelta = timedelta(hours=12)
    lifetime: timedelta = timedelta(days=7)


@dataclass(frozen=True)
class Session:
    """Somebody who is signed in; what they may do is what the token allows, now."""

    token: Token
    created_at: datetime
    last_used_at: datetime

    def is_valid(self, now: datetime, limits: SessionLimits) -> bool:
        return (
            self.token.is_valid(now)
            and now < self.created_at + limits.lifetime
            and now < self.last_used_at + limits.idle
        )


@dataclass(frozen=True)
class SignInLink:
    """A way to sign in once, as the token that asked for it."""

    token: Token
    created_at: datetime

    @property
    def expires_at(self) -> datetime:
        return self.created_at + LINK_LIFETIME

    def is_valid(self, now: datetime) -> bool:
        return self.token.is_valid(now) and now < self.expires_at
