"""Our own certificate authority, and the leaf certificates that servers show.

Clients get the authority's certificate once and verify every server with it. All keys are
ECDSA P-256: small handshakes, known to every TLS library of the last decade.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from poolkeeper.domain.errors import EngineError
from poolkeeper.engine.accounts import Account
from poolkeeper.engine.files import read_file, write_if_changed

AUTHORITY_LIFE = timedelta(days=3653)
LEAF_LIFE = timedelta(days=397)

# For hosts whose clock is a little behind ours.
_BACKDATED = timedelta(hours=1)

# X.520 limits a common name to 64 characters; names that matter stand in the SAN.
_MAX_COMMON_NAME = 64


@dataclass(frozen=True)
class Authority:
    """A certificate authority whose key we hold; ``certificate_path`` may be given to anyone."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    certificate_path: Path

    @property
    def certificate_pem(self) -> str:
        return _to_pem(self.certificate).decode()


def ensure_authority(folder: Path, *, now: datetime) -> Authority:
    """The authority in this folder (``ca.crt``, ``ca.key``), made if there is none yet.

    Its certificate is made again, for the same key and name, when it is missing, damaged or
    near its end: what the old one verified, the new one verifies. A key that is lost while
    its certificate is there is not replaced silently, since no client would trust the new
    one: raises EngineError. Raises OSError if the folder cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = _ensure_authority_key(folder)
    path = folder / "ca.crt"
    certificate = _parse_certificate(read_file(path))
    if certificate is None or not _may_sign(certificate, key, now):
        certificate = _sign_authority(key, now)
    write_if_changed(path, _to_pem(certificate), owner=None, mode=0o644, fsync=True)
    return Authority(certificate, key, path)


def ensure_leaf(
    authority: Authority,
    *,
    certificate: Path,
    key: Path,
    names: Sequence[str],
    owner: Account | None,
    now: datetime,
) -> bool:
    """See to it that the two files hold a good server certificate and its key.

    ``names``: DNS names and IP addresses, the most telling first. True if it was issued: it
    was missing or damaged, has other names, is not this authority's, or less than a third of
    its life is left. The key stays while it is good, so that a crash between the two files
    never leaves a pair that does not match. The file holds the leaf, then the authority's
    certificate. Raises OSError.
    """
    leaf_key = _parse_key(read_file(key)) or ec.generate_private_key(ec.SECP256R1())
    leaf = read_file(certificate) or b""
    # No certificate is good for a key that was made just now.
    good = _is_good_leaf(leaf, authority, leaf_key, names=names, now=now)
    if not good:
        leaf = _issue_leaf(authority, leaf_key, names, now)
    # Written even if good: owner and mode are put right by it.
    write_if_changed(key, _key_to_pem(leaf_key), owner=owner, mode=0o600, fsync=True)
    write_if_changed(certificate, leaf, owner=owner, mode=0o600, fsync=True)
    return not good


def _ensure_authority_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    path = folder / "ca.key"
    key = _parse_key(read_file(path))
    if key is None:
        # The key is always written first, so a certificate without one means a loss.
        if (folder / "ca.crt").exists():
            raise EngineError(
                f"{path} is lost or damaged while {folder / 'ca.crt'} is there: restore it from"
                f" a backup, or remove both and give the new ca.crt to every client"
            )
        key = ec.generate_private_key(ec.SECP256R1())
    write_if_changed(path, _key_to_pem(key), owner=None, mode=0o600, fsync=True)
    return key


def _may_sign(
    certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, now: datetime
) -> bool:
    """Raises EngineError if it is another key's."""
    if certificate.public_key() != key.public_key():
        raise EngineError(
            "ca.crt and ca.key do not belong together: restore both from one backup, or remove"
            " both and give the new ca.crt to every client"
        )
    return certificate.not_valid_after_utc - now > LEAF_LIFE


def _sign_authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    # Named for the key, so that a certificate made again has the same subject.
    short_id = hashlib.sha256(_public_bytes(key)).hexdigest()[:8]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Poolkeeper CA {short_id}")])
    builder = _begin(name, name, key, now, now + AUTHORITY_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    return builder.sign(key, hashes.SHA256())


def _issue_leaf(
    authority: Authority, key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime
) -> bytes:
    common_name = names[0][:_MAX_COMMON_NAME]
    builder = _begin(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]),
        authority.certificate.subject,
        key,
        now,
        min(now + LEAF_LIFE, authority.certificate.not_valid_after_utc),
    )
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    for extension, critical in (
        (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(authority=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (authority_id, False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    leaf = builder.sign(authority.key, hashes.SHA256())
    return _to_pem(leaf) + _to_pem(authority.certificate)


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - _BACKDATED)
        .not_valid_after(until.astimezone(UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _is_good_leaf(
    found: bytes,
    authority: Authority,
    key: ec.EllipticCurvePrivateKey,
    *,
    names: Sequence[str],
    now: datetime,
) -> bool:
    leaf = _parse_certificate(found)
    if leaf is None or found != _to_pem(leaf) + _to_pem(authority.certificate):
        return False
    if leaf.public_key() != key.public_key() or not _is_signed_by(leaf, authority):
        return False
    start, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if now < start or end - now < (end - start) / 3:
        return False
    return _read_names(leaf) == {_general_name(name) for name in names}


def _is_signed_by(leaf: x509.Certificate, authority: Authority) -> bool:
    try:
        leaf.verify_directly_issued_by(authority.certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _read_names(leaf: x509.Certificate) -> set[x509.GeneralName]:
    try:
        return set(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return set()


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _parse_certificate(text: bytes | None) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(text) if text else None
    except ValueError:
        return None


def _parse_key(text: bytes | None) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(text, password=None) if text else None
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _to_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
