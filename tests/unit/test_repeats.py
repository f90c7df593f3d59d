"""When a call counts as one that is made again because its answer got lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from poolkeeper.domain.repeats import Call, Unanswered, digest_call, is_repeated

AT = datetime(2026, 11, 1, tzinfo=UTC)
CREATED = Unanswered(Call("token", "digest"), AT, UUID(int=1), "pool:web", 7)


@pytest.mark.parametrize(
    ("seconds", "repeated"), [(0, True), (1, True), (599, True), (600, False), (86400, False)]
)
def test_it_counts_for_ten_minutes(seconds: float, repeated: bool) -> None:
    standing = replace(CREATED, at=AT + timedelta(seconds=seconds))
    assert is_repeated(CREATED, standing) is repeated


@pytest.mark.parametrize(
    "other",
    [
        {"call": Call("another", "digest")},
        {"call": Call("token", "another")},
        {"cluster_id": UUID(int=2)},
        {"subject": "pool:other"},
        {"subject": "user:web"},
        {"generation": 8},
    ],
)
def test_everything_must_be_as_the_first_call_left_it(other: dict[str, object]) -> None:
    assert not is_repeated(CREATED, replace(CREATED, **other))  # type: ignore[arg-type]


def test_without_a_first_call_there_is_no_second() -> None:
    assert not is_repeated(None, CREATED)


def test_calls_that_differ_have_different_digests() -> None:
    calls = [
        ("POST", "/a", b"", b"body"),
        ("PUT", "/a", b"", b"body"),
        ("POST", "/b", b"", b"body"),
        ("POST", "/a", b"q", b"body"),
        ("POST", "/a", b"", b"body "),
        ("POST", "/a\nbody", b"", b""),
        ("POST", "/a", b"\nbody", b""),
        ("POST", "/a", b"body", b""),
    ]
    digests = [digest_call(*call) for call in calls]
    assert len(set(digests)) == len(calls)
    assert digests == [digest_call(*call) for call in calls]
    assert {len(digest) for digest in digests} == {64}
