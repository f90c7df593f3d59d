"""The blocks of one subject that are being filled, one for each tier. Pure but for its state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from poolkeeper.domain.samples import STORED, Kind, Values
from poolkeeper.metrics.tiers import TIERS, Columns, Tier, column_indices, make_columns

# Reads back what the file has of a block, None if nothing.
LoadBlock = Callable[[Tier, int], Columns | None]
# A value's place in the list of its kind, and the value.
_Number = tuple[int, float]


@dataclass
class OpenBlock:
    """A block in memory. ``dirty``: it has what the file has not. ``empty``: all is gaps.

    ``places``: of each value its column, and whether its greatest follows in the next one.
    """

    tier: Tier
    start: int
    places: Sequence[tuple[int, bool]]
    columns: Columns
    empty: bool
    dirty: bool = False
    # The point that is being filled, where it takes more than one second.
    _point: int = -1
    _sums: list[float] = field(default_factory=list)
    _counts: list[int] = field(default_factory=list)
    _peaks: list[float] = field(default_factory=list)

    def put(self, second: int, numbers: Sequence[_Number]) -> None:
        """Take the numbers of a second that is in this block."""
        point = (second - self.start) // self.tier.step
        if self.tier.step == 1:
            for index, number in numbers:
                self.columns[self.places[index][0]][point] = number
        else:
            self._add(point, numbers)
        if numbers:
            self.dirty, self.empty = True, False

    def copy(self) -> Columns:
        """The columns as they stand now."""
        self.settle()
        return [column[:] for column in self.columns]

    def settle(self) -> None:
        """Bring the point that is being filled into the columns, as far as it has come."""
        for index, count in enumerate(self._counts):
            if count:
                column, peaks = self.places[index]
                self.columns[column][self._point] = self._sums[index] / count
                if peaks:
                    self.columns[column + 1][self._point] = self._peaks[index]

    def _add(self, point: int, numbers: Sequence[_Number]) -> None:
        if self._point != point:
            self.settle()
            self._point = point
            self._sums = [0.0] * len(self.places)
            self._counts = [0] * len(self.places)
            self._peaks = [-math.inf] * len(self.places)
        sums, counts, peaks = self._sums, self._counts, self._peaks
        for index, number in numbers:
            sums[index] += number
            counts[index] += 1
            if number > peaks[index]:
                peaks[index] = number


class Recording:
    """Takes one subject's values, second by second, and folds them into all tiers.

    ``load`` is asked about blocks that may have been begun before: the first ones, for another
    control plane may have died on them, and those that a clock that was set back leads to.
    """

    def __init__(self, kind: Kind, load: LoadBlock) -> None:
        indices = column_indices(kind)
        self._names = [value.name for value in STORED[kind]]
        self._places = [(indices[value.name], value.peaks) for value in STORED[kind]]
        self._width = len(indices)
        self._load = load
        self._open: list[OpenBlock | None] = [None] * len(TIERS)
        self._furthest = [-1] * len(TIERS)

    def blocks(self) -> Iterator[OpenBlock]:
        """The blocks that are being filled."""
        return (block for block in self._open if block is not None)

    def put(self, second: int, values: Values) -> list[OpenBlock]:
        """Take the values of a second; returns the blocks that this second is not in any more.

        A second that was taken before is taken anew: then the clock was set back.
        """
        found = enumerate(map(values.get, self._names))
        numbers = [(index, number) for index, number in found if number is not None]
        left = []
        for index, tier in enumerate(TIERS):
            start = tier.block_start(second)
            block = self._open[index]
            if block is None or block.start != start:
                if block is not None:
                    block.settle()
                    left.append(block)
                block = self._open[index] = self._begin(index, start, is_first=block is None)
            block.put(second, numbers)
        return left

    def _begin(self, index: int, start: int, *, is_first: bool) -> OpenBlock:
        known = None
        if is_first or start <= self._furthest[index]:
            known = self._load(TIERS[index], start)
        self._furthest[index] = max(self._furthest[index], start)
        columns = known or make_columns(self._width)
        return OpenBlock(TIERS[index], start, self._places, columns, empty=known is None)
