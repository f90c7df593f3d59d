"""How tags are spelled, and what is known of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from poolkeeper.domain.errors import InvalidRequest
from poolkeeper.domain.tags import Tag, check_taggable, describe_tag, spell_tags

NOW = datetime(2026, 11, 1, tzinfo=UTC)
FIRST, SECOND = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("wanted", "known", "spelled"),
    [
        ([], [], ()),
        (["b", "a"], [], ("b", "a")),
        (["prod"], ["PROD"], ("PROD",)),
        (["A", "a", "b"], [], ("A", "b")),
        (["a", "A"], ["A"], ("A",)),
    ],
)
def test_capitals_are_those_of_the_first(
    wanted: list[str], known: list[str], spelled: tuple[str, ...]
) -> None:
    assert spell_tags(wanted, known) == spelled


def test_a_tag_names_who_was_given_it_last() -> None:
    assert describe_tag("blue", {}) == Tag("blue", 0, None)
    later = NOW + timedelta(seconds=1)
    assert describe_tag("blue", {FIRST: later, SECOND: NOW}) == Tag("blue", 2, FIRST)
    assert describe_tag("blue", {FIRST: NOW, SECOND: later}) == Tag("blue", 2, SECOND)


def test_only_clusters_bear_tags() -> None:
    check_taggable("database")
    with pytest.raises(InvalidRequest, match="no resources of type 'droplet' here"):
        check_taggable("droplet")
