"""What can be had, and the certificate authority."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from cryptography import x509

from poolkeeper.domain.sizes import SLUGS
from tests.api.front import Front


def test_options_offer_what_can_be_had(front: Front) -> None:
    answer = front.call("GET", "/v2/databases/options").json()
    assert list(answer["options"]) == ["pg"]
    pg = answer["options"]["pg"]
    assert pg["versions"] == ["17", "15"]
    assert pg["default_version"] == "17"
    assert pg["layouts"] == [{"num_nodes": 1, "sizes": list(SLUGS)}]
    assert "nyc3" in pg["regions"]
    assert answer["version_availability"]["pg"][0] == {
        "version": "17",
        "end_of_life": "2029-11-08T00:00:00Z",
        "end_of_availability": "2029-05-08T00:00:00Z",
        "default": True,
    }


def test_options_without_any_postgresql(front: Front) -> None:
    front.change(majors=lambda: [])
    pg = front.call("GET", "/v2/databases/options").json()["options"]["pg"]
    assert (pg["versions"], pg["default_version"]) == ([], "")
    body = {"name": "x-y", "engine": "pg", "num_nodes": 1, "size": SLUGS[0], "region": "nyc3"}
    response = front.call("POST", "/v2/databases", body)
    assert response.status_code == 422
    assert "install the package postgresql" in response.json()["message"]


def test_every_offered_size_and_version_is_accepted(front: Front) -> None:
    pg = front.call("GET", "/v2/databases/options").json()["options"]["pg"]
    for size in pg["layouts"][0]["sizes"]:
        front.create_cluster("any", size=size, dry_run=True)
    for version in pg["versions"]:
        front.create_cluster("any", version=version, dry_run=True)
    for region in pg["regions"]:
        front.create_cluster("any", region=region, dry_run=True)


def test_ca_is_a_certificate_authority(front: Front, main: Mapping[str, Any]) -> None:
    response = front.call("GET", f"/v2/databases/{main['id']}/ca")
    assert response.status_code == 200
    pem = b64decode(response.json()["ca"]["certificate"], validate=True)
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
