"""Whom to trust on a first visit: a certificate that a person accepts by its fingerprint."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

from poolkeeper.cli.client import CONNECT_SECONDS, Api, trust
from poolkeeper.cli.contexts import Place, write_private
from poolkeeper.cli.dialogue import ask, is_interactive
from poolkeeper.cli.errors import ApiFailed, CommandFailed


def read_certificate(path: Path) -> str:
    """The PEM in a file, which must hold a certificate."""
    trust(path)
    return path.read_text(encoding="ascii")


def accept_certificate(api: str) -> str:
    """The server's certificate as PEM, once the person has compared its fingerprint."""
    der = fetch_certificate(api)
    if not is_interactive():
        raise CommandFailed(
            f"nobody is there to accept the certificate of {api}: give the CA's with --ca-file "
            "(`poolkeeper status` on its machine tells the file)"
        )
    print(f"The server at {api} shows a certificate with the fingerprint", file=sys.stderr)
    print(f"  {format_fingerprint(der)}", file=sys.stderr)
    answer = ask("Is that what `poolkeeper status` tells on its machine? (y/N) ")
    if answer.lower() not in ("y", "yes"):
        raise CommandFailed("Operation aborted.")
    return ssl.DER_cert_to_PEM_cert(der)


def fetch_certificate(api: str) -> bytes:
    """The certificate that the server shows, in DER; nothing is verified."""
    parts = urlsplit(api)
    host, port = parts.hostname or "", parts.port or 443
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=CONNECT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            der = secured.getpeercert(binary_form=True)
    except OSError as wrong:
        raise CommandFailed(f"cannot reach {api}: {wrong}; is the address right?") from None
    if not der:
        raise CommandFailed(f"the server at {api} shows no certificate")
    return der


def format_fingerprint(der: bytes) -> str:
    """The SHA-256 of a certificate, as browsers and openssl print it."""
    digest = hashlib.sha256(der).hexdigest().upper()
    return "SHA256 " + ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def adopt_ca(place: Place) -> None:
    """Replaces an accepted server certificate by the CA behind it, if the API tells it.

    The server's certificate is renewed now and then; the CA stays.
    """
    assert place.ca_file is not None
    try:
        with Api(place) as api:
            clusters = api.get("v2", "databases")["databases"]
            if not clusters:
                return
            ca = api.get("v2", "databases", clusters[0]["id"], "ca")["ca"]
    except ApiFailed:
        return
    before = place.ca_file.read_text(encoding="ascii")
    write_private(place.ca_file, base64.b64decode(ca["certificate"]).decode("ascii"))
    try:
        with Api(place) as api:
            api.get("v1", "health")
    except (ApiFailed, CommandFailed):
        write_private(place.ca_file, before)
