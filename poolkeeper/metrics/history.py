"""The bounded history: seconds go in, are kept in memory for a minute, then in the file.

::

    1 s for 15 min    a block is a minute      15 rows of a subject
    10 s for 24 h     a block is 10 minutes   144 rows
    1 min for 30 d    a block is an hour      720 rows
    30 min for 30 d   a block is 30 hours      24 rows

Each minute the blocks that are being filled are written as they stand, so that a control
plane that is killed loses a minute. A file that cannot be used costs charts, and nothing else.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import structlog

from poolkeeper.domain.samples import HOST, Kind, Sample, Series, Subject, Values, derive
from poolkeeper.metrics.recording import OpenBlock, Recording
from poolkeeper.metrics.sample_file import SampleFile, StoredBlock
from poolkeeper.metrics.series import build_series, choose_tier
from poolkeeper.metrics.tiers import TIERS, Columns, Tier, column_indices, pack, unpack

_WRITE_EVERY = 60
_PRUNE_EVERY = 600
# A clock that was set wrong must not make us forget: only one that ran on for so long counts.
_STEADY = 900
_JUMP = 60
# Of a file that cannot be written, so many full blocks of each subject and tier are kept.
_UNWRITTEN_BLOCKS = 5
_SILENT = 120

_Key = tuple[Subject, int, int]

_log = structlog.get_logger("poolkeeper.metrics")


class History:
    """``put`` is the sampler's alone; all that reads may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._file = SampleFile(path)
        self._lock = threading.Condition()
        self._recordings: dict[Subject, Recording] = {}
        self._seen: dict[Subject, int] = {}
        self._unwritten: dict[_Key, OpenBlock] = {}
        self._latest: dict[UUID, Sample] = {}
        self._host: Sample | None = None
        self._newest = 0
        self._steady_since = 0
        self._pruned = 0
        self._fails = False
        self._due = threading.Event()
        self._stopping = False
        self._writing = threading.Lock()
        self._writer = threading.Thread(target=self._run, name="samples-writer", daemon=True)

    def start(self) -> None:
        self._writer.start()

    def stop(self) -> None:
        """Write what is in memory, and close the file."""
        self._stopping = True
        self._due.set()
        if self._writer.is_alive():
            self._writer.join()
        self.flush()
        self._file.close()

    def put(self, second: int, host: Values, clusters: Mapping[UUID, Sample]) -> None:
        """Take what was seen at a second (Unix time), and tell who waits for it."""
        with self._lock:
            if not self._newest <= second <= self._newest + _JUMP:
                self._steady_since = second
            minute_is_over = second // _WRITE_EVERY != self._newest // _WRITE_EVERY
            self._record(HOST, second, host)
            for cluster_id, sample in clusters.items():
                self._record(Subject(Kind.CLUSTER, cluster_id), second, sample.cluster)
                for name, values in sample.pools.items():
                    self._record(Subject(Kind.POOL, cluster_id, name), second, values)
            self._latest = {each: _with_ratios(sample) for each, sample in clusters.items()}
            self._host = Sample(second, dict(host))
            self._newest = second
            self._lock.notify_all()
        if minute_is_over:
            self._due.set()

    def latest(self, cluster_id: UUID) -> Sample | None:
        """The newest sample of a cluster; None if it is not sampled now."""
        with self._lock:
            return self._latest.get(cluster_id)

    def latest_host(self) -> Sample | None:
        """The newest sample of the host."""
        with self._lock:
            return self._host

    def wait_beyond(self, second: int, timeout: float) -> int:
        """Wait for a newer second; see domain.samples.Samples. A clock that was set back
        brings an older one, which counts as newer."""
        with self._lock:
            self._lock.wait_for(lambda: self._newest != second and self._newest > 0, timeout)
            return self._newest

    def read(
        self, subject: Subject, names: Sequence[str], *, start: int, stop: int, points: int
    ) -> Series:
        """See domain.samples.Samples. What the file cannot tell is a gap."""
        with self._lock:
            now = max(self._newest, stop)
        tier, step = choose_tier(now, start, stop, points)
        first = tier.block_start(start - start % step)
        width = len(column_indices(subject.kind))
        # Memory first: what leaves it meanwhile has got to the file before.
        with self._lock:
            held = {
                block.start: block.copy()
                for block in self._blocks_in_memory(subject)
                if block.tier is tier and first <= block.start < stop
            }
        blocks = dict(self._read_file(subject, tier, first, stop, width)) | held
        return build_series(subject.kind, names, blocks, tier, start=start, stop=stop, step=step)

    def flush(self) -> bool:
        """Write what the file has not; False if it could not be done, and is to be tried
        again."""
        with self._writing:
            with self._lock:
                dirty = self._list_dirty()
                rows = [(key, block.copy()) for key, block in dirty.items()]
                for block in dirty.values():
                    block.dirty = False
                now = self._newest
            stored = [StoredBlock(*key, pack(columns)) for key, columns in rows]
            done = self._write(stored, now)
            with self._lock:
                self._settle(dirty, done=done)
            return done

    def _run(self) -> None:
        while not self._stopping:
            self._due.wait()
            self._due.clear()
            try:
                self.flush()
            except Exception:
                _log.exception("samples_writer_broke")

    def _record(self, subject: Subject, second: int, values: Values) -> None:
        recording = self._recordings.get(subject)
        if recording is None:
            recording = self._recordings[subject] = Recording(
                subject.kind, lambda tier, start: self._recall(subject, tier, start)
            )
        for left in recording.put(second, values):
            self._set_aside(subject, left)
        self._seen[subject] = second

    def _recall(self, subject: Subject, tier: Tier, start: int) -> Columns | None:
        """What there already is of a block."""
        unwritten = self._unwritten.pop((subject, tier.step, start), None)
        if unwritten is not None:
            return unwritten.columns
        width = len(column_indices(subject.kind))
        return dict(self._read_file(subject, tier, start, start + 1, width)).get(start)

    def _read_file(
        self, subject: Subject, tier: Tier, start: int, stop: int, width: int
    ) -> Iterator[tuple[int, Columns]]:
        try:
            rows = self._file.read(subject, tier.step, start, stop)
        except (sqlite3.Error, OSError) as error:
            self._complain(error)
            return
        for block_start, data in rows:
            try:
                yield block_start, unpack(data, width)
            except ValueError as error:
                _log.warning("sample_block_unreadable", start=block_start, reason=str(error))

    def _blocks_in_memory(self, subject: Subject) -> Iterator[OpenBlock]:
        for (owner, _, _), block in self._unwritten.items():
            if owner == subject:
                yield block
        recording = self._recordings.get(subject)
        if recording is not None:
            yield from recording.blocks()

    def _list_dirty(self) -> dict[_Key, OpenBlock]:
        dirty = dict(self._unwritten)
        for subject, recording in self._recordings.items():
            for block in recording.blocks():
                if block.dirty:
                    dirty[subject, block.tier.step, block.start] = block
        return dirty

    def _write(self, blocks: Sequence[StoredBlock], now: int) -> bool:
        try:
            self._file.write(blocks)
            if now - self._steady_since >= _STEADY and now - self._pruned >= _PRUNE_EVERY:
                self._file.prune(now)
                self._pruned = now
        except (sqlite3.Error, OSError) as error:
            self._complain(error)
            return False
        if self._fails:
            self._fails = False
            _log.info("samples_written_again")
        return True

    def _settle(self, written: Mapping[_Key, OpenBlock], *, done: bool) -> None:
        """Let go of what is in the file now, and of what will not be for long."""
        for key, block in written.items():
            if not done:
                block.dirty = True
            elif self._unwritten.get(key) is block and not block.dirty:
                del self._unwritten[key]
        for key in list(self._unwritten):
            _, step, start = key
            span = next(tier.span for tier in TIERS if tier.step == step)
            if start < self._newest - (_UNWRITTEN_BLOCKS + 1) * span:
                del self._unwritten[key]
        for subject, second in list(self._seen.items()):
            if second < self._newest - _SILENT:
                del self._seen[subject]
                for block in self._recordings.pop(subject).blocks():
                    self._set_aside(subject, block)

    def _set_aside(self, subject: Subject, block: OpenBlock) -> None:
        """Keep a block that is left until it is surely in the file: it may just be on its way."""
        if not block.empty:
            self._unwritten[subject, block.tier.step, block.start] = block

    def _complain(self, error: Exception) -> None:
        if not self._fails:
            self._fails = True
            _log.warning("samples_not_kept", reason=str(error))


def _with_ratios(sample: Sample) -> Sample:
    return Sample(
        sample.at,
        derive(Kind.CLUSTER, sample.cluster),
        {name: derive(Kind.POOL, values) for name, values in sample.pools.items()},
    )
