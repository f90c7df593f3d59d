"""Tags: names by which clusters are found. One exists by itself, and bears nothing at first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from poolkeeper.domain.errors import InvalidRequest

DATABASE = "database"
"""What DigitalOcean calls a cluster where tags are concerned."""


@dataclass(frozen=True)
class Tag:
    """A tag, how many clusters bear it, and which of them was given it last."""

    name: str
    count: int = 0
    last_tagged: UUID | None = None


def describe_tag(name: str, bearers: Mapping[UUID, datetime]) -> Tag:
    """The tag that these clusters bear, each since that moment."""
    if not bearers:
        return Tag(name)
    return Tag(name, len(bearers), max(bearers, key=lambda id: (bearers[id], id)))


def spell_tags(wanted: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The tags as they are known already, each once.

    DigitalOcean's tags do not differ by case alone: the capitals of the first stay.
    """
    spellings = {name.lower(): name for name in known}
    return tuple(dict.fromkeys(spellings.setdefault(name.lower(), name) for name in wanted))


def check_taggable(resource_type: str) -> None:
    """Raises InvalidRequest unless that can bear a tag here."""
    if resource_type != DATABASE:
        raise InvalidRequest(
            f"resources: there are no resources of type {resource_type!r} here; {DATABASE!r} is"
            " what can be tagged"
        )
