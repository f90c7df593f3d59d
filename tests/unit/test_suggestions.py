"""What size is suggested for a new pool."""

from __future__ import annotations

import pytest

from poolkeeper.domain.suggestions import suggest_size


@pytest.mark.parametrize(
    ("left", "size"), [(22, 11), (23, 11), (2, 1), (1, 1), (0, 1), (-3, 1), (1597, 798)]
)
def test_half_of_what_is_left_and_at_least_one(left: int, size: int) -> None:
    assert suggest_size(left).size == size


def test_it_says_why() -> None:
    assert suggest_size(22).reason.startswith("half of the 22 that are left")
    assert "no backend connection is left" in suggest_size(0).reason
