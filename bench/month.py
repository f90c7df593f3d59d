"""A month of samples, as the sampler would have left them, written in seconds."""

from __future__ import annotations

import array
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path

from poolkeeper.domain.samples import STORED, Kind, Subject
from poolkeeper.metrics.sample_file import SampleFile, StoredBlock
from poolkeeper.metrics.tiers import POINTS, TIERS, pack

# What is made up: so many different blocks of a kind, with another value every so many points.
_BLOCKS = 20
_STEADY = 5
_MOST = 1000


def write_month(path: Path, subjects: Iterable[Subject], until: int) -> None:
    """Fill every tier of these subjects up to a second."""
    file = SampleFile(path)
    chance = random.Random(17)
    blocks = {kind: [_make_block(kind, chance) for _ in range(_BLOCKS)] for kind in Kind}
    for subject in subjects:
        file.write(_list_blocks(subject, until, blocks[subject.kind]))
    file.close()


def _list_blocks(subject: Subject, until: int, blocks: Sequence[bytes]) -> Iterator[StoredBlock]:
    data = cycle(blocks)
    for tier in TIERS:
        for start in range(tier.block_start(until - tier.keep), until, tier.span):
            yield StoredBlock(subject, tier.step, start, next(data))


def _make_block(kind: Kind, chance: random.Random) -> bytes:
    columns = []
    for value in STORED[kind]:
        means = array.array("f", [])
        for _ in range(POINTS // _STEADY):
            means.extend([round(chance.uniform(0, _MOST), 2)] * _STEADY)
        columns.append(means)
        if value.peaks:
            columns.append(array.array("f", [point * 1.5 for point in means]))
    return pack(columns)
