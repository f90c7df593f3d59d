"""The history: what is put in comes out, bounded, folded, and after a restart."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from poolkeeper.domain.samples import HOST, STORED, Kind, Sample, Series, Subject
from poolkeeper.metrics.history import History
from poolkeeper.metrics.tiers import TIERS
from tests.plane import wait_until

CLUSTER = UUID(int=7)
POOL = Subject(Kind.POOL, CLUSTER, "web")
NOON = 1_800_000_000 - 1_800_000_000 % 3600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "samples.db"


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    history = History(path)
    yield history
    history.stop()


def put(history: History, second: int, **values: float | None) -> None:
    """A second of the pool."""
    sample = Sample(second, {}, {"web": values})
    history.put(second, {"load_1m": 1.0}, {CLUSTER: sample})


def read(
    history: History, name: str, start: int, stop: int, points: int = 2000
) -> list[float | None]:
    return list(read_series(history, name, start, stop, points).values[name])


def read_series(history: History, name: str, start: int, stop: int, points: int = 2000) -> Series:
    return history.read(POOL, [name], start=start, stop=stop, points=points)


def test_seconds_come_out_as_they_went_in(history: History) -> None:
    for second in range(NOON, NOON + 90):
        put(history, second, clients_waiting=second - NOON)
    series = read_series(history, "clients_waiting", NOON, NOON + 90)
    assert (series.start, series.step) == (NOON, 1)
    assert series.values["clients_waiting"] == [float(each) for each in range(90)]


def test_what_is_written_while_it_is_read_is_no_gap(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    for second in range(NOON, NOON + 61):
        put(history, second, clients_waiting=1)
    read_rows = history._file.read

    def read_just_before_the_writer(*which: Any) -> list[tuple[int, bytes]]:
        rows = read_rows(*which)
        assert history.flush()
        return rows

    monkeypatch.setattr(history._file, "read", read_just_before_the_writer)
    assert read(history, "clients_waiting", NOON, NOON + 60) == [1.0] * 60


def test_what_was_not_seen_is_a_gap_and_not_a_zero(history: History) -> None:
    put(history, NOON, clients_waiting=1)
    put(history, NOON + 1, clients_waiting=None)
    put(history, NOON + 3, clients_waiting=0)
    assert read(history, "clients_waiting", NOON - 1, NOON + 5) == [
        *(None, 1.0, None, None, 0.0, None),
    ]


def test_who_was_never_seen_has_only_gaps(history: History) -> None:
    put(history, NOON)
    nobody = Subject(Kind.POOL, CLUSTER, "nobody")
    series = history.read(nobody, ["size"], start=NOON, stop=NOON + 3, points=10)
    assert series.values == {"size": [None] * 3}


@pytest.mark.parametrize("written", [True, False])
def test_coarser_tiers_have_means_and_peaks(history: History, *, written: bool) -> None:
    for second in range(NOON, NOON + 1200):
        put(history, second, clients_waiting=100 if second % 60 == 7 else 1)
    if written:
        assert history.flush()
    # An hour back: the tier of 10 s.
    start = NOON - 2400
    waiting = read(history, "clients_waiting", start, NOON + 1200)
    peaks = read(history, "clients_waiting.max", start, NOON + 1200)
    assert waiting[240:252] == [10.9, 1.0, 1.0, 1.0, 1.0, 1.0] * 2
    assert peaks[240:252] == [100.0, 1.0, 1.0, 1.0, 1.0, 1.0] * 2
    assert waiting[:240] == [None] * 240
    # Two days back: the tier of a minute.
    start = NOON - 2 * 86400
    by_minute = read_series(history, "clients_waiting.max", start, NOON + 1200, points=10_000)
    assert by_minute.step == 60
    assert by_minute.values["clients_waiting.max"][-20:] == [100.0] * 20
    mean = read(history, "clients_waiting", start, NOON + 1200, points=10_000)
    assert mean[-20:] == [pytest.approx(2.65)] * 20


def test_a_mean_counts_only_the_seconds_that_were_seen(history: History) -> None:
    for second in range(NOON, NOON + 10):
        put(history, second, clients_waiting=4 if second % 2 else None)
    assert read(history, "clients_waiting", NOON - 1000, NOON + 10)[-1] == 4.0


def test_a_ratio_is_that_of_the_sums(history: History) -> None:
    """One slow transaction and 99 quick ones: the mean is not the mean of the two seconds."""
    put(history, NOON, xact_work=9.0, xacts_per_second=1.0)
    put(history, NOON + 1, xact_work=0.99, xacts_per_second=99.0)
    put(history, NOON + 2, xact_work=0.0, xacts_per_second=0.0)
    by_second = read(history, "xact_seconds", NOON, NOON + 3)
    assert by_second == [9.0, pytest.approx(0.01), None]
    assert read(history, "xact_seconds", NOON, NOON + 4, points=1) == [pytest.approx(9.99 / 100)]


@pytest.mark.parametrize(("span", "step"), [(900, 3), (3600, 20), (86400, 300), (30 * 86400, 9000)])
def test_about_as_many_points_as_were_asked_for(history: History, span: int, step: int) -> None:
    put(history, NOON, size=5)
    series = read_series(history, "size", NOON + 1 - span, NOON + 1, points=300)
    assert series.step == step
    assert series.start % step == 0
    assert span // step <= len(series.values["size"]) <= min(span // step + 2, 302)
    assert series.values["size"][-1] == 5.0


def test_a_restart_goes_on_in_the_blocks_that_were_begun(path: Path) -> None:
    first = History(path)
    for second in range(NOON, NOON + 25):
        put(first, second, size=1)
    first.stop()
    then = History(path)
    for second in range(NOON + 27, NOON + 80):
        put(then, second, size=2)
    then.stop()
    last = History(path)
    put(last, NOON + 90, size=3)
    assert read(last, "size", NOON, NOON + 91) == (
        [1.0] * 25 + [None] * 2 + [2.0] * 53 + [None] * 10 + [3.0]
    )
    by_ten = read(last, "size", NOON - 1000, NOON + 91)
    assert by_ten[100:] == [1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, None, 3.0]
    last.stop()


def test_the_writer_writes_each_minute(path: Path) -> None:
    history = History(path)
    # Two that make a new file at once are one too many: the file has one control plane.
    assert history.flush()
    history.start()
    for second in range(NOON, NOON + 61):
        put(history, second, size=1)
    # Another one sees it, as after a kill: the first neither stopped nor flushed.
    other = History(path)
    wait_until(
        "the minute is in the file",
        lambda: read(other, "size", NOON, NOON + 60) == [1.0] * 60,
    )
    other.stop()
    history.stop()


def test_the_file_is_bounded_and_forgets_who_is_gone(path: Path) -> None:
    history = History(path)
    chance = random.Random(1)
    for second in range(NOON, NOON + 4 * 3600):
        gone = second > NOON + 1800
        pools: Mapping[str, Mapping[str, float]] = {
            "web": {"size": chance.random()},
            **({} if gone else {"old": {"size": 1.0}}),
        }
        if second % 5 == 0:
            history.put(second, {}, {CLUSTER: Sample(second, {}, pools)})
        if second % 60 == 0:
            assert history.flush()
    assert count_blocks(path, 1) <= 15 + 1 + 10
    # Of "web" four hours, of "old" a half and a second; the cluster itself had no values.
    assert count_blocks(path, 10) == 24 + 4
    # A month without "old", by a clock that runs on.
    later = NOON + 31 * 86400
    for second in range(later, later + 1000, 10):
        history.put(second, {}, {CLUSTER: Sample(second, {}, {"web": {"size": 1.0}})})
    assert history.flush()
    with sqlite3.connect(path) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM subjects")}
    connection.close()
    assert names == {"web"}
    history.stop()


def test_a_wrong_clock_forgets_nothing(path: Path) -> None:
    history = History(path)
    for second in range(NOON, NOON + 120):
        put(history, second, size=1)
    for second in range(NOON + 400 * 86400, NOON + 400 * 86400 + 600):
        put(history, second, size=2)
        if second % 60 == 0:
            assert history.flush()
    for second in range(NOON + 130, NOON + 140):
        put(history, second, size=3)
    assert read(history, "size", NOON, NOON + 140) == [1.0] * 120 + [None] * 10 + [3.0] * 10
    history.stop()


def test_a_clock_that_is_set_back_keeps_what_it_does_not_meet_again(history: History) -> None:
    for second in range(NOON, NOON + 130):
        put(history, second, size=1)
    for second in range(NOON + 50, NOON + 70):
        put(history, second, size=2)
    for second in range(NOON + 125, NOON + 128):
        put(history, second, size=3)
    assert read(history, "size", NOON, NOON + 130) == (
        [1.0] * 50 + [2.0] * 20 + [1.0] * 55 + [3.0] * 3 + [1.0] * 2
    )


def test_a_damaged_file_is_moved_aside_and_begun_anew(path: Path) -> None:
    path.write_bytes(random.Random(4).randbytes(8192))
    history = History(path)
    for second in range(NOON, NOON + 61):
        put(history, second, size=1)
    wait_until("a new file is written", history.flush)
    assert read(history, "size", NOON, NOON + 61) == [1.0] * 61
    history.stop()
    assert path.with_name("samples.db.damaged").stat().st_size == 8192
    again = History(path)
    put(again, NOON + 61, size=1)
    assert read(again, "size", NOON, NOON + 62) == [1.0] * 62
    again.stop()


def test_a_file_damaged_while_it_is_used_costs_charts_and_nothing_else(path: Path) -> None:
    history = History(path)
    for second in range(NOON, NOON + 300):
        put(history, second, size=1)
        if second % 60 == 0:
            history.flush()
    history.stop()
    content = bytearray(path.read_bytes())
    content[4096:] = random.Random(5).randbytes(len(content) - 4096)
    path.write_bytes(content)
    history = History(path)
    for second in range(NOON + 300, NOON + 400):
        put(history, second, size=2)
    wait_until("a new file is written", history.flush)
    assert read(history, "size", NOON + 300, NOON + 400) == [2.0] * 100
    history.stop()


def test_a_folder_that_cannot_be_written_costs_only_what_does_not_fit_in_memory(
    tmp_path: Path,
) -> None:
    missing = tmp_path / "not-there"
    history = History(missing / "samples.db")
    for second in range(NOON, NOON + 1200):
        put(history, second, size=1)
        if second % 60 == 0:
            assert not history.flush()
    assert read(history, "size", NOON + 900, NOON + 1200) == [1.0] * 300
    missing.mkdir()
    assert history.flush()
    assert read(history, "size", NOON + 900, NOON + 1200) == [1.0] * 300
    history.stop()


def test_a_disk_that_is_full_is_tried_again(path: Path) -> None:
    history = History(path)
    for second in range(NOON, NOON + 61):
        put(history, second, size=1)
    assert history.flush()
    connection = history._file._connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    chance = random.Random(2)
    for second in range(NOON + 61, NOON + 3000):
        values = {name: chance.random() for name in ("size", "clients_active", "backends_idle")}
        put(history, second, **values)
    assert not history.flush()
    # Opened anew, it is not bounded any more: there is room again.
    assert history.flush()
    tail = read(history, "size", NOON + 2900, NOON + 3000)
    assert all(value is not None for value in tail)
    history.stop()


def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    history = History(path)
    put(history, NOON, size=1)
    wait_until("a new file is written", history.flush)
    history.stop()
    with sqlite3.connect(path.with_name("samples.db.damaged")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)
    connection.close()


def test_the_latest_has_ratios_and_wakes_who_waits(history: History) -> None:
    seen: list[int] = []
    waiter = threading.Thread(target=lambda: seen.append(history.wait_beyond(0, 60)))
    waiter.start()
    put(history, NOON, xact_work=1.0, xacts_per_second=4.0)
    waiter.join(60)
    assert seen == [NOON]
    latest = history.latest(CLUSTER)
    assert latest is not None
    assert latest.at == NOON
    assert latest.pools["web"]["xact_seconds"] == 0.25
    host = history.latest_host()
    assert host is not None and host.cluster == {"load_1m": 1.0}
    assert history.wait_beyond(NOON, 0.01) == NOON
    history.put(NOON + 1, {}, {})
    assert history.latest(CLUSTER) is None


def test_a_pool_takes_little_room(path: Path) -> None:
    """The bound that the docs state: random numbers, which do not compress."""
    history = History(path)
    chance = random.Random(3)
    names = [value.name for value in STORED[Kind.POOL]]
    for second in range(NOON, NOON + 3600):
        values = {name: chance.random() for name in names}
        history.put(second, {}, {CLUSTER: Sample(second, {}, {"web": values})})
        if second % 60 == 59:
            history.flush()
    with sqlite3.connect(path) as connection:
        sizes = dict(
            connection.execute(
                "SELECT step, max(length(data)) FROM blocks JOIN subjects ON id = subject"
                " WHERE kind = 'pool' GROUP BY step"
            ).fetchall()
        )
    connection.close()
    history.stop()
    rows = {tier.step: tier.keep // tier.span for tier in TIERS}
    assert sum(rows[step] * size for step, size in sizes.items()) < 5_000_000


def count_blocks(path: Path, step: int) -> int:
    with sqlite3.connect(path) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM blocks WHERE step = ?", (step,)
        ).fetchone()
    connection.close()
    return int(count)


def test_the_host_has_its_own_series(history: History) -> None:
    put(history, NOON)
    series = history.read(HOST, ["load_1m"], start=NOON, stop=NOON + 1, points=1)
    assert series.values == {"load_1m": [1.0]}


_HASTY = """
import sys, time
from pathlib import Path
from uuid import UUID
from poolkeeper.domain.samples import Sample
from poolkeeper.metrics.history import History
from poolkeeper.metrics.tiers import TIERS

history = History(Path(sys.argv[1]))
history.flush()
history.start()
for second in range(int(sys.argv[2]), int(sys.argv[3])):
    sample = Sample(second, {}, {"web": {"size": 1.0}})
    history.put(second, {}, {UUID(int=7): sample})
    time.sleep(0.01)
print("waiting", flush=True)
time.sleep(600)
"""


def test_a_kill_loses_a_minute_at_most(path: Path) -> None:
    """Seconds pass a hundred times as fast as those of the clock, and stand still just before
    the last minute is over: what is written of it then is as little as ever."""
    stop = NOON + 239
    command = [sys.executable, "-c", _HASTY, str(path), str(NOON), str(stop)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        other = History(path)
        lost_after = stop - 60
        kept = [1.0] * (lost_after - NOON)
        wait_until("it is written", lambda: read(other, "size", NOON, lost_after) == kept)
        other.stop()
        process.kill()
    history = History(path)
    assert read(history, "size", NOON, lost_after) == kept
    history.stop()
