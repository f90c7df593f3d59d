"""DigitalOcean's size slugs for PostgreSQL and the connections each one has to give.

Slugs and the rule of 25 connections per GiB, 3 of them reserved, are those of the API
description (``databases_list_options``) and the product's published limits.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from poolkeeper.domain.errors import KnownRefusal

CONNECTIONS_PER_GIB = 25
RESERVED_CONNECTIONS = 3
DEFAULT_SIZE = "db-s-1vcpu-1gb"

_SLUG = re.compile(r"(?P<family>[a-z0-9_]+(?:-[a-z]+)?)-(?P<vcpus>\d+)vcpu-(?P<gib>\d+)gb")

_FAMILIES = {
    "db-s": ("1vcpu-1gb", "1vcpu-2gb", "2vcpu-4gb", "4vcpu-8gb", "6vcpu-16gb"),
    "gd": (
        *("2vcpu-8gb", "4vcpu-16gb", "8vcpu-32gb", "16vcpu-64gb"),
        *("32vcpu-128gb", "40vcpu-160gb"),
    ),
    "so1_5": (
        *("2vcpu-16gb", "4vcpu-32gb", "8vcpu-64gb", "16vcpu-128gb"),
        *("24vcpu-192gb", "32vcpu-256gb"),
    ),
    "db-intel": (
        *("1vcpu-1gb", "1vcpu-2gb", "2vcpu-4gb", "2vcpu-8gb"),
        *("4vcpu-8gb", "4vcpu-16gb", "8vcpu-32gb", "16vcpu-64gb"),
    ),
    "db-amd": (
        *("1vcpu-1gb", "1vcpu-2gb", "2vcpu-4gb", "2vcpu-8gb"),
        *("4vcpu-8gb", "4vcpu-16gb", "8vcpu-32gb", "16vcpu-64gb"),
    ),
}

SLUGS: tuple[str, ...] = tuple(
    f"{family}-{shape}" for family, shapes in _FAMILIES.items() for shape in shapes
)

_STORAGE_GIB_PER_GIB = {1: 10, 2: 30, 4: 60}


@dataclass(frozen=True)
class Size:
    """One size: its slug, what it has, and what follows from that."""

    slug: str
    vcpus: int
    gib: int

    @property
    def max_connections(self) -> int:
        """PostgreSQL's ``max_connections``."""
        return CONNECTIONS_PER_GIB * self.gib

    @property
    def budget(self) -> int:
        """Backend connections that all pools of a cluster may hold together."""
        return self.max_connections - RESERVED_CONNECTIONS

    @property
    def storage_mib(self) -> int:
        """Storage that the size comes with; reported, not enforced."""
        return _STORAGE_GIB_PER_GIB.get(self.gib, 15 * self.gib) * 1024


@functools.cache
def parse_size(slug: str) -> Size:
    """The size of that slug. Raises KnownRefusal with DigitalOcean's text."""
    match = _SLUG.fullmatch(slug)
    if slug not in SLUGS or match is None:
        raise KnownRefusal(
            "invalid size",
            f"it is a slug such as {DEFAULT_SIZE}; the options list all",
            field="size",
        )
    return Size(slug, int(match["vcpus"]), int(match["gib"]))
