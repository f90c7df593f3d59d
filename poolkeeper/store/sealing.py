"""Secrets at rest: AES-GCM under one key, which lies in a file beside the store."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from poolkeeper.domain.errors import PoolkeeperError

KEY_BYTES = 32
_NONCE_BYTES = 12
_FORM = "1:"


class Sealer:
    """Seals texts for one purpose each: what was sealed for one does not open for another."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, text: str, purpose: str) -> str:
        """The text, unreadable and unalterable without the key; different each time."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode(), purpose.encode())
        return _FORM + base64.b64encode(nonce + sealed).decode("ascii")

    def unseal(self, text: str, purpose: str) -> str:
        """What was sealed. Raises PoolkeeperError if it was altered or the key is another one."""
        try:
            if not text.startswith(_FORM):
                raise ValueError("not a sealed text")
            sealed = base64.b64decode(text.removeprefix(_FORM), validate=True)
            nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, purpose.encode()).decode()
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise PoolkeeperError(
                f"the secret {purpose!r} in the store does not open: it was altered, or sealed"
                " with another key; restore the key file and the store from one backup"
            ) from error


def load_sealer(path: Path) -> Sealer:
    """The sealer of a key file, which is made if there is none.

    Processes that start together agree on one key. Raises PoolkeeperError if the file
    cannot be read or made, or does not hold a key.
    """
    try:
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            _create_key(path)
            key = path.read_bytes()
    except OSError as error:
        raise PoolkeeperError(
            f"the key file {path} cannot be read or made: {error.strerror};"
            " without it no password in the store can be read"
        ) from error
    if len(key) != KEY_BYTES:
        raise PoolkeeperError(
            f"the key file {path} is damaged: it has {len(key)} bytes, a key has {KEY_BYTES};"
            " restore it from a backup: without it no password in the store can be read"
        )
    return Sealer(key)


def _create_key(path: Path) -> None:
    """Write a new key beside the place and link it there: whole or not at all, first one wins."""
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            os.write(descriptor, os.urandom(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
