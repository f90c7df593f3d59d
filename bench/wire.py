"""The least that a PostgreSQL client must say to log in and ask something: blocking, no library.

A driver's connection holds buffers and state of its own; ten thousand of these fit a few
processes. Messages as in "Frontend/Backend Protocol" of PostgreSQL's manual, SCRAM-SHA-256 as
in RFC 5802 and 7677, without channel binding.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import os
import socket
import ssl
import struct
from dataclasses import dataclass

_PROTOCOL_3_0 = 196608
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_SASL, _SASL_CONTINUE, _SASL_FINAL, _OK = 10, 11, 12, 0


class LoginFailed(Exception):
    """The server said no, or something that was not expected."""


@dataclass(frozen=True)
class Place:
    """Where to log in and as whom. ``host`` beginning with ``/``: a Unix socket's path.

    ``ca_file``: TLS, with the server's certificate held against it; None: no TLS.
    """

    host: str
    port: int
    database: str
    user: str
    password: str
    ca_file: str | None


def open_client(place: Place) -> socket.socket:
    """A client that is logged in and idle. Raises OSError, LoginFailed."""
    client = _connect(place)
    try:
        if place.ca_file is not None:
            client.sendall(_SSL_REQUEST)
            if client.recv(1) != b"S":
                raise LoginFailed("the server speaks no TLS")
            client = _trust(place.ca_file).wrap_socket(client, server_hostname=place.host)
        _log_in(client, place)
    except BaseException:
        client.close()
        raise
    return client


def answers_query(client: socket.socket) -> bool:
    """Whether ``SELECT 1`` through this client is answered with 1."""
    try:
        _send(client, b"Q", b"SELECT 1\0")
        row = dict(_receive_until_ready(client)).get(b"D")
    except (OSError, LoginFailed):
        return False
    return row is not None and row.endswith(b"\x00\x00\x00\x011")


def _connect(place: Place) -> socket.socket:
    if place.host.startswith("/"):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(60)
        client.connect(place.host)
        return client
    client = socket.create_connection((place.host, place.port), timeout=60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


@functools.cache
def _trust(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def _log_in(client: socket.socket, place: Place) -> None:
    names = (b"user", place.user.encode(), b"database", place.database.encode(), b"", b"")
    body = struct.pack("!I", _PROTOCOL_3_0) + b"\0".join(names)
    client.sendall(struct.pack("!I", len(body) + 4) + body)
    _expect_authentication(client, _SASL)
    _prove_password(client, place.password)
    _expect_authentication(client, _OK)
    _receive_until_ready(client)


def _prove_password(client: socket.socket, password: str) -> None:
    nonce = base64.b64encode(os.urandom(18)).decode()
    bare = f"n=,r={nonce}"
    first = f"n,,{bare}".encode()
    _send(client, b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first)
    challenge = _expect_authentication(client, _SASL_CONTINUE).decode()
    given = dict(part.split("=", 1) for part in challenge.split(","))
    if not given["r"].startswith(nonce):
        raise LoginFailed("the server's nonce does not begin with ours")
    client_key, server_key = _derive_keys(password, given["s"], int(given["i"]))
    unproven = f"c=biws,r={given['r']}"
    message = f"{bare},{challenge},{unproven}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
    proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
    _send(client, b"p", f"{unproven},p={base64.b64encode(proof).decode()}".encode())
    verdict = _expect_authentication(client, _SASL_FINAL).decode()
    if verdict != "v=" + base64.b64encode(hmac.digest(server_key, message, "sha256")).decode():
        raise LoginFailed("the server does not know the password")


@functools.cache
def _derive_keys(password: str, salt: str, iterations: int) -> tuple[bytes, bytes]:
    """Client key and server key. The slow part of SCRAM, and the same for every login."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), iterations)
    return (
        hmac.digest(salted, b"Client Key", "sha256"),
        hmac.digest(salted, b"Server Key", "sha256"),
    )


def _expect_authentication(client: socket.socket, kind: int) -> bytes:
    letter, body = _receive(client)
    if letter != b"R" or struct.unpack("!I", body[:4])[0] != kind:
        raise LoginFailed(f"unexpected answer: {letter!r} {body!r}")
    return body[4:]


def _receive_until_ready(client: socket.socket) -> list[tuple[bytes, bytes]]:
    messages = [_receive(client)]
    while messages[-1][0] != b"Z":
        messages.append(_receive(client))
    return messages


def _receive(client: socket.socket) -> tuple[bytes, bytes]:
    head = _read(client, 5)
    body = _read(client, struct.unpack("!I", head[1:])[0] - 4)
    if head[:1] == b"E":
        fields = (part.decode(errors="replace") for part in body.split(b"\0"))
        raise LoginFailed(next((part[1:] for part in fields if part.startswith("M")), "an error"))
    return head[:1], body


def _read(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = client.recv(count - len(data))
        if not chunk:
            raise LoginFailed("the server closed the connection")
        data += chunk
    return data


def _send(client: socket.socket, letter: bytes, body: bytes) -> None:
    client.sendall(letter + struct.pack("!I", len(body) + 4) + body)
