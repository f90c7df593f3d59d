"""Parts of lists. Whoever does not ask for a page gets everything, as DigitalOcean's database
endpoints give it; whoever does, gets the page, ``links`` and ``meta``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request
from starlette.datastructures import URL

from poolkeeper.api import shapes

DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 200
# More is no number to a database.
_MAX_OFFSET = 2**62

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page:
    """The page that was asked for, and the address that asked."""

    number: int
    size: int
    url: URL

    @property
    def offset(self) -> int:
        """How many entries are before it."""
        return min((self.number - 1) * self.size, _MAX_OFFSET)


async def _read_page(
    request: Request,
    page: Annotated[int | None, Query(ge=1, description="Which page, from 1.")] = None,
    per_page: Annotated[
        int | None,
        Query(ge=1, le=MAX_PER_PAGE, description=f"Entries a page; {DEFAULT_PER_PAGE} if unsaid."),
    ] = None,
) -> Page | None:
    if page is None and per_page is None:
        return None
    return Page(page or 1, per_page or DEFAULT_PER_PAGE, request.url)


Paging = Annotated[Page | None, Depends(_read_page)]


def cut_page(items: Sequence[Item], page: Page | None) -> Sequence[Item]:
    """What of a list is on the page."""
    if page is None:
        return items
    return items[page.offset : page.offset + page.size]


def describe_page(page: Page | None, total: int) -> shapes.Paged:
    """What to add to the answer: where the other pages are, and how many entries there are."""
    if page is None:
        return {}
    last = max(-(-total // page.size), 1)
    pages: shapes.Pages = {}
    if page.number > 1:
        pages["first"] = _link(page, 1)
        pages["prev"] = _link(page, min(page.number - 1, last))
    if page.number < last:
        pages["next"] = _link(page, page.number + 1)
        pages["last"] = _link(page, last)
    return {"links": {"pages": pages} if pages else {}, "meta": {"total": total}}


def _link(page: Page, number: int) -> str:
    return str(page.url.include_query_params(page=number, per_page=page.size))
