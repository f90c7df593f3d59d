"""From blocks to a series of about as many points as were asked for. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from poolkeeper.domain.samples import DERIVED, Kind, Series, divide
from poolkeeper.metrics.tiers import GAP, POINTS, TIERS, Columns, Tier, column_indices

_MAX = ".max"
# Whole blocks are kept, so a tier has a little more than it promises: whoever asks for all of
# it is not to be put off because a second has gone by meanwhile.
_SLACK = 5
# A point may be so much longer than asked for, where that means fewer blocks to read.
_COARSEST = 1.25


def choose_tier(now: int, start: int, stop: int, points: int) -> tuple[Tier, int]:
    """The tier to read, and the seconds of a point of the answer.

    It must reach back to ``start``; of those that do, the coarsest that is still fine enough.
    """
    wanted = max(math.ceil((stop - start) / points), 1)
    reaching = [tier for tier in TIERS if now - start <= tier.keep + _SLACK] or [TIERS[-1]]
    steps = [(tier, math.ceil(wanted / tier.step) * tier.step) for tier in reaching]
    fine_enough = [(tier, step) for tier, step in steps if step <= wanted * _COARSEST]
    return fine_enough[-1] if fine_enough else steps[0]


def build_series(
    kind: Kind,
    names: Sequence[str],
    blocks: Mapping[int, Columns],
    tier: Tier,
    *,
    start: int,
    stop: int,
    step: int,
) -> Series:
    """The values of ``[start, stop)``, ``start`` put back to a multiple of ``step``.

    ``blocks``: what there is of the tier, by where each begins.
    """
    start -= start % step
    count = max(math.ceil((stop - start) / step), 0)
    ratios = {ratio.name: ratio for ratio in DERIVED[kind]}
    needed = set(names) - ratios.keys()
    for name in ratios.keys() & set(names):
        needed |= {ratios[name].above, *ratios[name].below}
    raw = {
        name: _fold(_cut(kind, name, blocks, tier, start, count * step), step // tier.step, name)
        for name in needed
    }
    return Series(
        start,
        step,
        {
            name: (
                [
                    divide(raw[ratio.above][at], [raw[below][at] for below in ratio.below])
                    for at in range(count)
                ]
                if (ratio := ratios.get(name))
                else raw[name]
            )
            for name in names
        },
    )


def _cut(
    kind: Kind, name: str, blocks: Mapping[int, Columns], tier: Tier, start: int, seconds: int
) -> list[float]:
    """One column's points of that time, gaps included."""
    indices = column_indices(kind)
    # The greatest of a single second is its value, and is not kept twice.
    column = indices[name.removesuffix(_MAX) if tier.step == 1 else name]
    points = [GAP] * (seconds // tier.step)
    for block_start, columns in blocks.items():
        offset = (block_start - start) // tier.step
        first, last = max(offset, 0), min(offset + POINTS, len(points))
        if first < last:
            points[first:last] = columns[column][first - offset : last - offset]
    return points


def _fold(points: Sequence[float], size: int, name: str) -> list[float | None]:
    """Each ``size`` points as one: their greatest, or their mean; None if all are gaps."""
    if size == 1:
        return [None if point != point else _round(point) for point in points]
    is_peak = name.endswith(_MAX)
    folded: list[float | None] = []
    for first in range(0, len(points), size):
        there = points[first : first + size]
        total = sum(there)
        if math.isnan(total):
            there = [point for point in there if point == point]
            total = sum(there)
        if there:
            folded.append(_round(max(there) if is_peak else total / len(there)))
        else:
            folded.append(None)
    return folded


def _round(number: float) -> float:
    """To the digits that a float of 32 bits has."""
    if number.is_integer():
        return number
    return float(f"{number:.7g}")
