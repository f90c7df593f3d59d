"""Lists that are too long for one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Generic, TypeVar

ON_A_PAGE = 50

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Slice(Generic[_Row]):
    """One page of a list. ``found``: how many there are on all pages; ``total``: how many there
    are with those that were not looked for."""

    rows: Sequence[_Row]
    total: int
    found: int
    page: int
    pages: int


def cut_slice(found: Sequence[_Row], total: int, page: str) -> Slice[_Row]:
    """The page that was asked for; one that cannot be is the nearest."""
    pages = max(ceil(len(found) / ON_A_PAGE), 1)
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    number = min(max(number, 1), pages)
    shown = found[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
    return Slice(shown, total, len(found), number, pages)
