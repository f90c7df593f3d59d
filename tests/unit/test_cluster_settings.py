"""Autoscale and names of one's own, as they are parsed."""

from __future__ import annotations

import pytest

from poolkeeper.domain.autoscale import parse_autoscale
from poolkeeper.domain.clusters import Autoscale
from poolkeeper.domain.errors import InvalidField
from poolkeeper.domain.service_names import parse_service_names


def test_what_autoscale_leaves_out_is_as_at_first() -> None:
    assert parse_autoscale(True, None, None) == Autoscale(True, 80, 10)
    assert parse_autoscale(False, 0, 0) == Autoscale(False, 80, 10)


@pytest.mark.parametrize(("threshold", "increment"), [(15, 10), (95, 500)])
def test_autoscale_at_its_bounds(threshold: int, increment: int) -> None:
    asked = parse_autoscale(True, threshold, increment)
    assert asked == Autoscale(True, threshold, increment)


@pytest.mark.parametrize(
    ("threshold", "increment", "field"),
    [
        (14, 10, "storage.threshold_percent"),
        (96, 10, "storage.threshold_percent"),
        (-1, 10, "storage.threshold_percent"),
        (80, 9, "storage.increment_gib"),
        (80, 501, "storage.increment_gib"),
    ],
)
def test_autoscale_beyond_its_bounds(threshold: int, increment: int, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        parse_autoscale(True, threshold, increment)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "name",
    ["a.b", "db.example.org", "DB-1.Example.org", "1.a", "x" * 63 + ".b", ".".join(["x" * 49] * 5)],
)
def test_names_that_can_be(name: str) -> None:
    assert parse_service_names([name]) == (name,)


def test_a_name_in_other_capitals_is_the_same() -> None:
    assert parse_service_names(["A.b", "c.d", "a.B"]) == ("A.b", "c.d")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "a.",
        ".a",
        "a..b",
        "-a.b",
        "a.b-",
        "a_b.c",
        "*.a",
        "x" * 64 + ".b",
        "a.b\n",
        "10.0.0.1",
    ],
)
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InvalidField, match="service_cnames"):
        parse_service_names([name])
