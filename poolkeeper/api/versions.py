"""PostgreSQL's majors: until when each is offered and cared for."""

from __future__ import annotations

from typing import NamedTuple


class Lifetime(NamedTuple):
    """Both are days, as RFC 3339; None where nobody has said."""

    end_of_life: str | None
    end_of_availability: str | None


# Ends of life are the PostgreSQL project's; ends of availability, DigitalOcean's.
_LIFETIMES = {
    "13": ("2025-11-13", "2025-05-13"),
    "14": ("2026-11-12", "2026-05-12"),
    "15": ("2027-11-11", "2027-05-12"),
    "16": ("2028-11-09", "2028-05-09"),
    "17": ("2029-11-08", "2029-05-08"),
    "18": ("2030-11-14", None),
}


def look_up_lifetime(version: str) -> Lifetime:
    """A major's lifetime."""
    end_of_life, end_of_availability = _LIFETIMES.get(version, (None, None))
    return Lifetime(_at_midnight(end_of_life), _at_midnight(end_of_availability))


def _at_midnight(day: str | None) -> str | None:
    return None if day is None else f"{day}T00:00:00Z"
