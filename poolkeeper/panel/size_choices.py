"""The sizes to choose from, by family."""

from __future__ import annotations

from poolkeeper.domain.sizes import SLUGS, Size, parse_size

_FAMILIES = {
    "db-s": "Basic",
    "gd": "General purpose",
    "so1_5": "Storage-optimised",
    "db-intel": "Basic, Intel",
    "db-amd": "Basic, AMD",
}


def list_sizes() -> dict[str, list[Size]]:
    """All sizes by the titles of their families."""
    families: dict[str, list[Size]] = {title: [] for title in _FAMILIES.values()}
    for slug in SLUGS:
        family = slug.rsplit("-", 2)[0]
        families[_FAMILIES[family]].append(parse_size(slug))
    return families
