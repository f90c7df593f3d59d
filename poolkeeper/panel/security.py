"""What keeps other sites out: security headers, and proof that a form is one of ours.

A form counts if the browser says that it comes from our own pages (``Sec-Fetch-Site``, or
``Origin`` from browsers that lack it), and if it carries a token made from a cookie that
only our pages can have seen.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: then browsers would not say where a form comes from.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

_SAFE_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


class SecurityHeaders:
    """ASGI middleware: the headers that every answer of the panel bears."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "private, no-cache")
            await send(message)

        await self._app(scope, receive, send_with_headers)


def new_secret() -> str:
    """A value for the cookie that a visitor's forms are proved by."""
    return os.urandom(32).hex()


def mark_visit(secret: str) -> str:
    """What tells the pages of one session from those of another, and no secret."""
    return _sign(secret, "visit")[:16]


def make_csrf_token(secret: str) -> str:
    """A token for forms, another one each time: compressed answers would tell a constant one."""
    nonce = os.urandom(8).hex()
    return f"{nonce}.{_sign(secret, f'csrf {nonce}')}"


def is_csrf_token(secret: str, token: str) -> bool:
    """Whether a token was made from that secret."""
    nonce, _, signature = token.partition(".")
    return bool(secret) and hmac.compare_digest(
        _sign(secret, f"csrf {nonce}").encode(), signature.encode()
    )


def comes_from_us(request: Request) -> bool:
    """Whether the browser says that one of our own pages sent this, or does not say."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def check_path(text: str) -> str:
    """A path of ours to go on to; ``/`` for whatever would lead elsewhere."""
    return text if _SAFE_PATH.fullmatch(text) else "/"


def _sign(secret: str, what: str) -> str:
    return hmac.new(secret.encode(), what.encode(), hashlib.sha256).hexdigest()
