"""When a call that creates something counts as repeated: its first answer got lost. Pure.

Clients repeat a POST when its answer does not come. What such a call asks for is there
already, and "not available" would be no answer to somebody who asked for it once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

REPEAT_WINDOW = timedelta(minutes=10)
"""Longer than clients go on trying: Go's retries, azure-core's, a person's second try."""


@dataclass(frozen=True)
class Call:
    """Who asked for what: two calls that are equal may be one call, made twice.

    If the digest has the client's own name for the call in it, they are one.
    """

    token_id: str
    digest: str


@dataclass(frozen=True)
class Unanswered:
    """What a call created (``pool:web``, as which generation) before its answer was delivered."""

    call: Call
    at: datetime
    cluster_id: UUID
    subject: str
    generation: int


def digest_call(method: str, path: str, query: bytes, body: bytes, *names: str) -> str:
    """What a call asks for, as 64 hexadecimal digits. ``names``: what its client calls it."""
    parts = (method.encode(), path.encode(), query, body, *(name.encode() for name in names))
    lengths = ",".join(str(len(part)) for part in parts)
    return hashlib.sha256(b"\n".join((lengths.encode(), *parts))).hexdigest()


def is_repeated(created: Unanswered | None, standing: Unanswered) -> bool:
    """Whether a call asks again for what an equal call created and nobody heard of.

    ``created``: what the store knows of the earlier call. ``standing``: this call, now, and
    the thing as it stands: once it was changed, or made anew, it is another's.
    """
    if created is None or replace(created, at=standing.at) != standing:
        return False
    return standing.at - created.at < REPEAT_WINDOW
