"""Whose installation it is, and what a token may do."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from poolkeeper.domain.tokens import READ, UPDATE
from tests.api.front import Front
from tests.shows import shows


def test_the_account_is_the_installation(front: Front) -> None:
    account = front.call("GET", "/v2/account").json()["account"]
    assert str(UUID(account["uuid"])) == account["uuid"]
    assert account["email"] == "poolkeeper@db.example"
    assert account["email_verified"] is False
    assert (account["status"], account["status_message"]) == ("active", "")
    assert (account["droplet_limit"], account["floating_ip_limit"]) == (0, 0)
    assert front.call("GET", "/v2/account").json()["account"] == account


def test_another_ca_is_another_account(front: Front) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    before = front.call("GET", "/v2/account").json()["account"]["uuid"]
    own = x509.load_pem_x509_certificate(front.context.ca_certificate.encode())
    key, seen = ec.generate_private_key(ec.SECP256R1()), set()
    for hours in (1, 2):
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(own.subject, own.subject, key.public_key(), hours)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(hours=hours))
            .sign(key, SHA256())
        )
        front.change(ca_certificate=made.public_bytes(Encoding.PEM).decode())
        seen.add(front.call("GET", "/v2/account").json()["account"]["uuid"])
    # Made again for the same key, it is the same.
    assert len(seen) == 1
    assert before not in seen


@shows("GET /v1/oauth/token/info")
def test_token_info_tells_what_the_token_may_do(front: Front) -> None:
    began, expires_at = time.time(), datetime.now(UTC) + timedelta(hours=1)
    value = front.issue_token(UPDATE, READ, expires_at=expires_at)
    answer = front.connect(value).get("/v1/oauth/token/info")
    assert answer.status_code == 200
    info = answer.json()
    assert info["scopes"] == ["database:read", "database:update"]
    left = (expires_at - datetime.now(UTC)).total_seconds()
    assert left - 1 <= info["expires_in_seconds"] <= 3600
    assert began - 1 <= info["created_at"] <= time.time()
    # Go reads the owner into an int, which may have 32 bits.
    assert 0 < info["resource_owner_id"] < 2**31
    account = front.call("GET", "/v2/account").json()["account"]
    assert info["application"] == {"uid": account["uuid"]}
    assert value not in answer.text


def test_a_token_that_stays_does_not_expire(front: Front) -> None:
    info = front.client(READ).get("/v1/oauth/token/info").json()
    assert info["expires_in_seconds"] is None
