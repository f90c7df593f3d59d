"""Connection details as pages show them: each text with its password, and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from poolkeeper.domain.connection_formats import (
    YOUR_PASSWORD,
    YOUR_USER,
    write_parameters,
    write_psql,
    write_uri,
)
from poolkeeper.domain.connections import Connection
from poolkeeper.domain.pools import PoolMode
from poolkeeper.panel.connection_snippets import list_snippets
from poolkeeper.panel.snippet_parts import Snippet

# Letters alone, so that no format quotes it; what a password is shown as while it is hidden.
_MARK = "HIDDENPASSWORDMARK"
HIDDEN = "••••••••••••"

_FORMATS: tuple[tuple[str, str, Callable[[Connection], str]], ...] = (
    ("parameters", "Connection parameters", write_parameters),
    ("string", "Connection string", write_uri),
    ("flags", "Flags", write_psql),
)


@dataclass(frozen=True)
class Text:
    """``hidden`` is ``text`` with dots for the password."""

    key: str
    title: str
    text: str
    hidden: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Details:
    """``has_password``: whether the texts have one; else the reader has to put it in."""

    connection: Connection
    formats: tuple[Text, ...]
    snippets: tuple[Text, ...]

    @property
    def has_password(self) -> bool:
        return bool(self.connection.password)

    @property
    def blanks(self) -> tuple[str, ...]:
        """What the reader has to put in."""
        asked = ((self.connection.user, YOUR_USER), (self.connection.password, YOUR_PASSWORD))
        return tuple(blank for value, blank in asked if not value)


def describe_connection(connection: Connection, mode: PoolMode | None) -> Details:
    """``mode`` None: the direct connection."""
    marked = replace(connection, password=_MARK) if connection.password else connection
    formats = tuple(
        Text(key, title, write(connection), _hide(write(marked))) for key, title, write in _FORMATS
    )
    pairs = zip(list_snippets(connection, mode), list_snippets(marked, mode), strict=True)
    snippets = tuple(_pair(shown, hidden) for shown, hidden in pairs)
    return Details(connection, formats, snippets)


def _pair(shown: Snippet, hidden: Snippet) -> Text:
    return Text(shown.key, shown.title, shown.code, _hide(hidden.code), shown.notes)


def _hide(text: str) -> str:
    return text.replace(_MARK, HIDDEN)
