"""Numbers, sizes, durations and moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from poolkeeper.panel import wording

NOW = datetime(2026, 11, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0, 0, "0"), (1234567, 0, "1,234,567"), (0.55, 1, "0.6"), (None, 0, "–")],
)
def test_numbers(value: float | None, digits: int, text: str) -> None:
    assert wording.word_number(value, digits) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**30, "1 GiB"), (None, "–")],
)
def test_sizes(count: int | None, text: str) -> None:
    assert wording.word_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.000000059, "< 0.001 ms"),
        (0.000001, "0.001 ms"),
        (0.0008, "0.8 ms"),
        (0.25, "250 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (1.234, "1.23 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (93600, "1 d 2 h"),
        (None, "–"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert wording.word_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7300, "2 hours ago"),
        (3 * 86400, "3 days ago"),
        (-30, "in a moment"),
        (-86400, "in 1 day"),
    ],
)
def test_ages(seconds: int, text: str) -> None:
    assert wording.word_age(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("pool_create", "Pool created"),
        ("cluster_online", "Cluster online"),
        ("user_reset_auth", "User password reset"),
        ("firewall_update", "Firewall changed"),
    ],
)
def test_happenings(kind: str, text: str) -> None:
    assert wording.word_happening(kind) == text
