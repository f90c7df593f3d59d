"""Which operations of the API a test shows, said where the test is, and seen to when it runs.

``docs/compatibility.md`` names the tests by these marks; a test whose mark says more than it
asks fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

MARK = "shows"

# To be given operations such as "GET /v2/databases/{id}".
shows = pytest.mark.shows


@dataclass(frozen=True)
class Exchange:
    """A call that was answered."""

    method: str
    path: str
    status: int


_exchanges: list[Exchange] = []


def note_exchange(method: str, url: str, status: int) -> None:
    """A client of the tests got an answer."""
    _exchanges.append(Exchange(method, urlsplit(url).path, status))


def count_exchanges() -> int:
    """How many there were, to tell those of a test from those before."""
    return len(_exchanges)


def list_unasked(operations: Iterable[str], since: int) -> list[str]:
    """Those of the operations that nobody has asked for since then, or that ended in a fault."""
    asked = _exchanges[since:]
    return [operation for operation in operations if not _is_among(operation, asked)]


def _is_among(operation: str, asked: Iterable[Exchange]) -> bool:
    method, _, template = operation.partition(" ")
    pattern = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))
    return any(
        each.method == method and each.status < 500 and pattern.fullmatch(each.path)
        for each in asked
    )
