"""New passwords, and what is made of them."""

from __future__ import annotations

import string

from poolkeeper.domain.scram import SALT_BYTES, make_verifier
from poolkeeper.domain.users import Role, User
from poolkeeper.usecases.context import Context

PASSWORD_LENGTH = 24
# Needs no escaping in a URI, a shell or a connection string.
_ALPHABET = string.ascii_letters + string.digits


def new_password(context: Context) -> str:
    """About 143 bits of chance in letters and digits."""
    text = ""
    while len(text) < PASSWORD_LENGTH:
        # 248 = 4 × 62: bytes above would make the first letters likelier.
        text += "".join(
            _ALPHABET[byte % 62] for byte in context.random_bytes(2 * PASSWORD_LENGTH) if byte < 248
        )
    return text[:PASSWORD_LENGTH]


def new_user(
    context: Context, name: str, role: Role, generation: int, *, allow_replication: bool = False
) -> User:
    """A user with a fresh password and its verifier."""
    password = new_password(context)
    return User(
        name=name,
        role=role,
        password=password,
        verifier=make_verifier(password, context.random_bytes(SALT_BYTES)),
        generation=generation,
        allow_replication=allow_replication,
    )
