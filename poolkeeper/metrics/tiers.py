"""How finely the past is kept, and the blocks that hold it. Pure.

A block has 60 points of one subject, one after the other in each column. Columns follow
``domain.samples.STORED``, with a second column, the greatest, for values that peak. In the
file it is packed: how many columns, then all points as 32-bit floats, compressed.
"""

from __future__ import annotations

import array
import math
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from poolkeeper.domain.samples import STORED, Kind

POINTS = 60
GAP = math.nan

_GAPS = array.array("f", [GAP]) * POINTS
_FORMAT = 2
_LEVEL = 1  # zlib's quickest: what compresses here is gaps, zeros and numbers that stay


@dataclass(frozen=True)
class Tier:
    """``step``: seconds of a point. ``keep``: how many seconds back it reaches."""

    step: int
    keep: int

    @property
    def span(self) -> int:
        """Seconds of a block."""
        return self.step * POINTS

    def block_start(self, second: int) -> int:
        return second - second % self.span


# The last one is for charts of all the time there is: in minutes it would be thirty times as much.
TIERS = (
    Tier(1, 15 * 60),
    Tier(10, 24 * 3600),
    Tier(60, 30 * 86400),
    Tier(1800, 30 * 86400),
)

Columns = list["array.array[float]"]


def column_indices(kind: Kind) -> dict[str, int]:
    """Where each stored value, and each ``name.max``, stands in a block."""
    indices: dict[str, int] = {}
    for value in STORED[kind]:
        indices[value.name] = len(indices)
        if value.peaks:
            indices[f"{value.name}.max"] = len(indices)
    return indices


def make_columns(count: int) -> Columns:
    """Columns of gaps."""
    return [array.array("f", _GAPS) for _ in range(count)]


def pack(columns: Sequence[array.array[float]]) -> bytes:
    """Columns as they are stored."""
    raw = b"".join(_to_little_endian(column).tobytes() for column in columns)
    return bytes((_FORMAT, len(columns))) + zlib.compress(raw, _LEVEL)


def unpack(data: bytes, count: int) -> Columns:
    """``count`` columns; those that the block does not have yet are gaps.

    Raises ValueError if it is no block of ours.
    """
    if len(data) < 2 or data[0] != _FORMAT:
        raise ValueError("a block of an unknown format")
    try:
        raw = zlib.decompress(data[2:])
    except zlib.error as error:
        raise ValueError(f"a damaged block: {error}") from error
    if len(raw) != data[1] * POINTS * 4:
        raise ValueError("a block of the wrong length")
    points = _to_little_endian(array.array("f", raw))
    there = min(count, data[1])
    columns = [points[index * POINTS : (index + 1) * POINTS] for index in range(there)]
    return columns + make_columns(count - there)


def _to_little_endian(column: array.array[float]) -> array.array[float]:
    if sys.byteorder == "little":
        return column
    swapped = array.array("f", column)
    swapped.byteswap()
    return swapped
