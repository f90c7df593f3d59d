"""The panel's cookies. ``__Host-``: of this host alone, over TLS alone, for all its paths."""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

SESSION = "__Host-poolkeeper-session"
# Whose forms a signed-out visitor sends: CSRF protection for the sign-in itself.
VISITOR = "__Host-poolkeeper-visitor"
FLASH = "__Host-poolkeeper-flash"
THEME = "__Host-poolkeeper-theme"

THEMES = ("auto", "light", "dark")

_LONGEST_FLASH = 500
_YEAR = 365 * 86400


def put(response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    """Set a cookie; without ``seconds`` it ends with the browser."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )


def remove(response: Response, name: str) -> None:
    """Take a cookie back."""
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def put_flash(response: Response, message: str) -> None:
    """Have the next page say something, once."""
    put(response, FLASH, quote(message[:_LONGEST_FLASH]), seconds=60)


def read_flash(request: Request) -> str:
    """What the page before wanted to be said; empty if nothing."""
    return unquote(request.cookies.get(FLASH, ""))[:_LONGEST_FLASH]


def put_theme(response: Response, theme: str) -> None:
    """Remember how pages are to look."""
    put(response, THEME, theme, seconds=_YEAR)


def read_theme(request: Request) -> str:
    """How pages are to look: one of ``THEMES``."""
    theme = request.cookies.get(THEME, "")
    return theme if theme in THEMES else THEMES[0]
