"""SCRAM-SHA-256 secrets as PostgreSQL and PgBouncer store them (RFC 5802, RFC 7677)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode

ITERATIONS = 4096
SALT_BYTES = 16


def make_verifier(password: str, salt: bytes) -> str:
    """The secret for a password of ASCII characters.

    ``salt``: SALT_BYTES of chance, which anyone who starts a login is shown.
    """
    if not password.isascii():
        raise ValueError("only ASCII passwords are made here; others need SASLprep")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def _text(data: bytes) -> str:
    return b64encode(data).decode()
