"""Folding: whatever comes in, a point is the mean and the greatest of its seconds."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from poolkeeper.domain.samples import Kind
from poolkeeper.metrics.recording import OpenBlock, Recording
from poolkeeper.metrics.tiers import TIERS, Columns, Tier, column_indices

NOON = 1_800_000_000 - 1_800_000_000 % 3600
WAITING = column_indices(Kind.POOL)["clients_waiting"]

seconds = st.lists(
    st.tuples(st.integers(1, 25), st.one_of(st.none(), st.integers(0, 1000))), max_size=80
)


def load_nothing(tier: Tier, start: int) -> Columns | None:
    return None


@given(seconds)
def test_a_point_is_the_mean_and_the_greatest_of_its_seconds(
    steps: list[tuple[int, int | None]],
) -> None:
    recording = Recording(Kind.POOL, load_nothing)
    blocks: list[OpenBlock] = []
    seen: dict[int, int] = {}
    second = NOON
    for passed, number in steps:
        second += passed
        blocks += recording.put(second, {"clients_waiting": number})
        if number is not None:
            seen[second] = number
    blocks += recording.blocks()
    for tier in TIERS:
        expected: dict[int, list[int]] = {}
        for at, number in seen.items():
            expected.setdefault(at - at % tier.step, []).append(number)
        found = {
            block.start + point * tier.step: (mean, peak)
            for block in blocks
            if block.tier is tier
            for columns in [block.copy()]
            for point, (mean, peak) in enumerate(
                zip(columns[WAITING], columns[WAITING + 1], strict=True)
            )
            if not math.isnan(mean)
        }
        assert found.keys() == expected.keys()
        for at, numbers in expected.items():
            mean, peak = found[at]
            assert math.isclose(mean, sum(numbers) / len(numbers), rel_tol=1e-6)
            assert math.isnan(peak) if tier.step == 1 else peak == max(numbers)


def test_a_block_that_got_nothing_is_empty() -> None:
    recording = Recording(Kind.POOL, load_nothing)
    recording.put(NOON, {"clients_waiting": None})
    assert all(block.empty and not block.dirty for block in recording.blocks())
    recording.put(NOON + 1, {"clients_waiting": 0})
    assert not any(block.empty for block in recording.blocks())
