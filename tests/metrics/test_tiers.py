"""Blocks: packed and unpacked, also those of a time when there were fewer values."""

from __future__ import annotations

import array
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolkeeper.domain.samples import STORED, Kind
from poolkeeper.metrics.tiers import (
    POINTS,
    TIERS,
    column_indices,
    make_columns,
    pack,
    unpack,
)

numbers = st.one_of(st.just(math.nan), st.floats(width=32, allow_nan=False))


@given(st.lists(st.lists(numbers, min_size=POINTS, max_size=POINTS), min_size=1, max_size=4))
def test_a_block_is_read_as_it_was_written(points: list[list[float]]) -> None:
    columns = [array.array("f", each) for each in points]
    found = unpack(pack(columns), len(columns))
    assert [each.tobytes() for each in found] == [each.tobytes() for each in columns]


def test_values_that_came_later_are_gaps_in_older_blocks() -> None:
    older = make_columns(2)
    older[1][5] = 7.0
    found = unpack(pack(older), 4)
    assert found[1][5] == 7.0
    assert all(math.isnan(point) for column in found[2:] for point in column)


def test_a_block_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    newer = make_columns(3)
    newer[0][0] = 1.0
    found = unpack(pack(newer), 1)
    assert len(found) == 1
    assert found[0][0] == 1.0


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x02rubbish", b"\x09\x01" + b"x" * 40])
def test_a_damaged_block_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match="block"):
        unpack(data, 2)


def test_a_cut_block_is_told() -> None:
    with pytest.raises(ValueError, match="block"):
        unpack(pack(make_columns(3))[:-3], 3)


def test_the_columns_of_a_kind_do_not_change_their_places() -> None:
    """Blocks in files depend on it: values are added at the end, and none is taken away."""
    places = {kind: list(column_indices(kind)) for kind in Kind}
    assert places[Kind.POOL][:8] == [
        *("clients_active", "clients_active.max", "clients_waiting", "clients_waiting.max"),
        *("backends_active", "backends_active.max", "backends_idle", "backends_idle.max"),
    ]
    assert places[Kind.POOL][23] == "backends.max"
    assert places[Kind.CLUSTER][41] == "maxwait_seconds.max"
    assert places[Kind.HOST][13] == "control_plane_memory_bytes"
    for kind in Kind:
        assert len(places[kind]) == sum(1 + value.peaks for value in STORED[kind])


def test_every_tier_is_whole_blocks() -> None:
    for tier in TIERS:
        assert tier.keep % tier.span == 0
    assert [tier.keep // tier.span for tier in TIERS] == [15, 144, 720, 24]
