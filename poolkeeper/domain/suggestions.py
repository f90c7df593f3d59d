"""What size a new pool might have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Suggestion:
    """A size, and why that one."""

    size: int
    reason: str


def suggest_size(left: int) -> Suggestion:
    """Half of what is left, as DigitalOcean suggests it: room stays for another pool."""
    if left < 1:
        return Suggestion(1, "the smallest there is: no backend connection is left")
    size = max(left // 2, 1)
    if left == 1:
        return Suggestion(size, "the only backend connection that is left")
    return Suggestion(
        size,
        f"half of the {left} that are left, so that there is room for another pool;"
        " it can be changed at any time",
    )
