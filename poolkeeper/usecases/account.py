"""Whose installation this is. Nobody's in person: all that is told follows from its CA."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from poolkeeper.usecases.context import Context

_NAMESPACE = UUID("b5a0f1de-6c0e-5f5b-9d0b-2f6c8f3d7a14")


@dataclass(frozen=True)
class Account:
    """The installation, as an account: the same as long as its CA has the same key."""

    uuid: UUID
    email: str

    @property
    def number(self) -> int:
        """Where only a number will do; 31 bits of the id."""
        return self.uuid.int >> 97


def read_account(context: Context) -> Account:
    """The account that all tokens of this installation belong to."""
    certificate = x509.load_pem_x509_certificate(context.ca_certificate.encode())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Account(uuid5(_NAMESPACE, key.hex()), f"poolkeeper@{context.public_host}")
