import ipaddress
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from poolkeeper.domain.errors import EngineError
from poolkeeper.engine.certificates import AUTHORITY_LIFE, LEAF_LIFE, Authority, ensure_authority
from poolkeeper.engine.certificates import ensure_leaf as ensure

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = ("db.example.com", "127.0.0.1", "::1")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return ensure_authority(tmp_path / "ca", now=NOW)


def ensure_leaf(
    folder: Path, authority: Authority, names: tuple[str, ...] = NAMES, now: datetime = NOW
) -> bool:
    return ensure(
        authority,
        certificate=folder / "server.crt",
        key=folder / "server.key",
        names=names,
        owner=None,
        now=now,
    )


def read_chain(folder: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates((folder / "server.crt").read_bytes())


def is_pair(folder: Path) -> bool:
    key = load_pem_private_key((folder / "server.key").read_bytes(), None)
    return key.public_key() == read_chain(folder)[0].public_key()


def test_the_authority_is_made_once(tmp_path: Path, authority: Authority) -> None:
    again = ensure_authority(tmp_path / "ca", now=NOW + timedelta(days=100))
    assert again.certificate_pem == authority.certificate_pem
    assert again.key.private_numbers() == authority.key.private_numbers()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "ca").iterdir()}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600}
    constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca
    assert authority.certificate.not_valid_after_utc == NOW + AUTHORITY_LIFE
    assert authority.certificate.subject.rfc4514_string().startswith("CN=Poolkeeper CA ")


@pytest.mark.parametrize("left", ["", "-----BEGIN CERTIFICATE-----\nhalf"])
def test_a_certificate_that_a_crash_left_out_is_made_for_the_same_key(
    tmp_path: Path, authority: Authority, left: str
) -> None:
    ensure_leaf(tmp_path, authority)
    authority.certificate_path.write_text(left)
    if not left:
        authority.certificate_path.unlink()
    mended = ensure_authority(tmp_path / "ca", now=NOW)
    assert mended.certificate.subject == authority.certificate.subject
    # What the lost one verified, the new one verifies.
    read_chain(tmp_path)[0].verify_directly_issued_by(mended.certificate)


def test_an_authority_near_its_end_is_renewed_with_its_key(
    tmp_path: Path, authority: Authority
) -> None:
    late = NOW + AUTHORITY_LIFE - LEAF_LIFE
    renewed = ensure_authority(tmp_path / "ca", now=late)
    assert renewed.certificate.not_valid_after_utc == late + AUTHORITY_LIFE
    assert renewed.certificate.public_key() == authority.certificate.public_key()


@pytest.mark.parametrize("content", [None, "", "damaged"])
def test_a_lost_key_is_not_replaced_silently(
    tmp_path: Path, authority: Authority, content: str | None
) -> None:
    key = tmp_path / "ca" / "ca.key"
    key.unlink()
    if content is not None:
        key.write_text(content)
    with pytest.raises(EngineError, match=r"ca\.key is lost or damaged .* restore it"):
        ensure_authority(tmp_path / "ca", now=NOW)


def test_a_key_of_another_authority_is_refused(tmp_path: Path, authority: Authority) -> None:
    ensure_authority(tmp_path / "other", now=NOW)
    shutil.copy(tmp_path / "other" / "ca.key", tmp_path / "ca" / "ca.key")
    with pytest.raises(EngineError, match="do not belong together"):
        ensure_authority(tmp_path / "ca", now=NOW)


def test_a_leaf_is_issued_once(tmp_path: Path, authority: Authority) -> None:
    assert ensure_leaf(tmp_path, authority)
    assert not ensure_leaf(tmp_path, authority)
    assert not ensure_leaf(tmp_path, authority, names=tuple(reversed(NAMES)))
    leaf, issuer = read_chain(tmp_path)
    assert issuer == authority.certificate
    leaf.verify_directly_issued_by(issuer)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["db.example.com"]
    addresses = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o600
    assert is_pair(tmp_path)


def test_a_leaf_is_renewed_when_a_third_of_its_life_is_left(
    tmp_path: Path, authority: Authority
) -> None:
    ensure_leaf(tmp_path, authority)
    key = (tmp_path / "server.key").read_bytes()
    assert not ensure_leaf(tmp_path, authority, now=NOW + LEAF_LIFE * 0.66)
    late = NOW + LEAF_LIFE * 0.67
    assert ensure_leaf(tmp_path, authority, now=late)
    assert read_chain(tmp_path)[0].not_valid_after_utc == (late + LEAF_LIFE).replace(microsecond=0)
    # The key stays, so a crash between the two files never leaves a pair that does not match.
    assert (tmp_path / "server.key").read_bytes() == key
    assert not ensure_leaf(tmp_path, authority, now=late)


def test_other_names_take_another_leaf(tmp_path: Path, authority: Authority) -> None:
    ensure_leaf(tmp_path, authority)
    assert ensure_leaf(tmp_path, authority, names=(*NAMES, "db.internal"))
    assert ensure_leaf(tmp_path, authority, names=("db.internal",))
    assert not ensure_leaf(tmp_path, authority, names=("db.internal",))


@pytest.mark.parametrize("name", ["server.crt", "server.key"])
@pytest.mark.parametrize("content", [None, "", "damaged"])
def test_what_is_lost_or_damaged_is_issued_again(
    tmp_path: Path, authority: Authority, name: str, content: str | None
) -> None:
    ensure_leaf(tmp_path, authority)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    assert ensure_leaf(tmp_path, authority)
    assert is_pair(tmp_path)
    assert not ensure_leaf(tmp_path, authority)


def test_a_leaf_of_another_authority_is_replaced(tmp_path: Path, authority: Authority) -> None:
    ensure_leaf(tmp_path, ensure_authority(tmp_path / "other", now=NOW))
    assert ensure_leaf(tmp_path, authority)
    read_chain(tmp_path)[0].verify_directly_issued_by(authority.certificate)


def test_a_leaf_never_outlives_its_authority(tmp_path: Path, authority: Authority) -> None:
    end = authority.certificate.not_valid_after_utc
    ensure_leaf(tmp_path, authority, now=end - timedelta(days=10))
    assert read_chain(tmp_path)[0].not_valid_after_utc == end
