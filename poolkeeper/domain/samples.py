"""What is sampled each second, of what, and how it is read. Pure.

A kind's values are a list that only ever grows at its end: a block that was written when the
list was shorter stays readable. Whatever is not known at a second is a gap: None, never 0.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from poolkeeper.domain.errors import InvalidField

LONGEST_SPAN = 30 * 86400
MOST_POINTS = 2000

Values = Mapping[str, float | None]


class Kind(enum.StrEnum):
    """What a series is about. Stored: a kind's word never changes."""

    HOST = "host"
    CLUSTER = "cluster"
    POOL = "pool"


@dataclass(frozen=True)
class Value:
    """A number that is stored. ``peaks``: where seconds are folded into one point, their
    greatest is kept beside their mean, and is read as ``name.max``. A sum has peaks of its own:
    its parts need not have had theirs at the same second."""

    name: str
    unit: str
    peaks: bool = False


@dataclass(frozen=True)
class Ratio:
    """A number that is worked out as it is read: one stored value over the sum of others.

    Means over time come out right only so: a mean of means would count idle seconds as busy.
    """

    name: str
    unit: str
    above: str
    below: tuple[str, ...]


# Append only. Rates are per second; seconds of work per second are how many were at it.
STORED: Mapping[Kind, tuple[Value, ...]] = {
    Kind.HOST: (
        Value("cpu_percent", "percent of all processors", peaks=True),
        Value("memory_used_bytes", "bytes", peaks=True),
        Value("memory_total_bytes", "bytes", peaks=True),
        Value("load_1m", "processes", peaks=True),
        Value("disk_used_bytes", "bytes", peaks=True),
        Value("disk_total_bytes", "bytes", peaks=True),
        Value("control_plane_cpu_percent", "percent of a processor"),
        Value("control_plane_memory_bytes", "bytes"),
    ),
    Kind.CLUSTER: (
        Value("postgres_cpu_percent", "percent of a processor", peaks=True),
        Value("pooler_cpu_percent", "percent of a processor", peaks=True),
        Value("postgres_memory_bytes", "bytes", peaks=True),
        Value("pooler_memory_bytes", "bytes", peaks=True),
        Value("database_bytes", "bytes", peaks=True),
        Value("xacts_per_second", "1/s", peaks=True),
        Value("rollbacks_per_second", "1/s", peaks=True),
        Value("blocks_hit_per_second", "1/s"),
        Value("blocks_read_per_second", "1/s"),
        Value("temp_bytes_per_second", "bytes/s"),
        Value("deadlocks_per_second", "1/s"),
        Value("connections_pooled", "connections", peaks=True),
        Value("connections_direct", "connections", peaks=True),
        Value("connections_own", "connections"),
        Value("connections_reserved", "connections", peaks=True),
        Value("connections_free", "connections", peaks=True),
        Value("connections_max", "connections"),
        Value("connections_active", "connections", peaks=True),
        Value("connections_idle_in_transaction", "connections", peaks=True),
        Value("connections_waiting_for_lock", "connections", peaks=True),
        Value("longest_xact_seconds", "s", peaks=True),
        Value("clients_active", "connections", peaks=True),
        Value("clients_waiting", "connections", peaks=True),
        Value("maxwait_seconds", "s", peaks=True),
    ),
    Kind.POOL: (
        Value("clients_active", "connections", peaks=True),
        Value("clients_waiting", "connections", peaks=True),
        Value("backends_active", "connections", peaks=True),
        Value("backends_idle", "connections", peaks=True),
        Value("size", "connections", peaks=True),
        Value("maxwait_seconds", "s", peaks=True),
        Value("xacts_per_second", "1/s", peaks=True),
        Value("queries_per_second", "1/s", peaks=True),
        Value("xact_work", "s/s"),
        Value("query_work", "s/s"),
        Value("waiting_work", "s/s"),
        Value("assignments_per_second", "1/s"),
        Value("received_bytes_per_second", "bytes/s"),
        Value("sent_bytes_per_second", "bytes/s"),
        Value("backends", "connections", peaks=True),
    ),
}

DERIVED: Mapping[Kind, tuple[Ratio, ...]] = {
    Kind.HOST: (),
    Kind.CLUSTER: (
        Ratio(
            "cache_hit_ratio",
            "0 to 1",
            "blocks_hit_per_second",
            ("blocks_hit_per_second", "blocks_read_per_second"),
        ),
    ),
    Kind.POOL: (
        Ratio("xact_seconds", "s", "xact_work", ("xacts_per_second",)),
        Ratio("query_seconds", "s", "query_work", ("queries_per_second",)),
        Ratio("wait_seconds", "s", "waiting_work", ("assignments_per_second",)),
    ),
}


@dataclass(frozen=True)
class Subject:
    """What a series is about. The host has no cluster; only a pool has a name."""

    kind: Kind
    cluster_id: UUID | None = None
    name: str = ""


HOST = Subject(Kind.HOST)


@dataclass(frozen=True)
class Sample:
    """All that was seen of a cluster at one second of the clock, by name of the value; ratios
    included. A server that did not answer in time has no values."""

    at: int
    cluster: Values
    pools: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Values by name, one for each ``step`` seconds from ``start`` on (Unix time).

    A point stands for the seconds from its time to the next one's; None is a gap.
    """

    start: int
    step: int
    values: Mapping[str, Sequence[float | None]]


class Samples(Protocol):
    """The reading side of the history; from any thread."""

    def read(
        self, subject: Subject, names: Sequence[str], *, start: int, stop: int, points: int
    ) -> Series:
        """The values from ``start`` up to ``stop`` (Unix time), about as many as ``points``
        at most, from the finest tier that reaches back so far."""
        ...

    def latest(self, cluster_id: UUID) -> Sample | None:
        """The newest sample of a cluster."""
        ...

    def latest_host(self) -> Sample | None:
        """The newest sample of the host; its values are in ``cluster``."""
        ...

    def wait_beyond(self, second: int, timeout: float) -> int:
        """Wait until a newer second than this was sampled, or the time is over; returns the
        newest, 0 before the first. One waiter can serve many browsers."""
        ...


def list_names(kind: Kind) -> list[str]:
    """Every name that can be read of a kind."""
    names = []
    for value in STORED[kind]:
        names.append(value.name)
        if value.peaks:
            names.append(f"{value.name}.max")
    return names + [ratio.name for ratio in DERIVED[kind]]


def choose_names(kind: Kind, asked: Iterable[str]) -> list[str]:
    """The names that were asked for, each once; all if none was. Raises InvalidField."""
    known = list_names(kind)
    chosen = list(dict.fromkeys(asked))
    for name in chosen:
        if name not in known:
            raise InvalidField("names", f"{name!r} is none of {', '.join(known)}")
    return chosen or known


def parse_subject(cluster_id: UUID, text: str) -> Subject:
    """``cluster``, ``host`` or ``pool:NAME``. Raises InvalidField."""
    kind, _, name = text.partition(":")
    if kind == Kind.POOL and name:
        return Subject(Kind.POOL, cluster_id, name)
    if text == Kind.CLUSTER:
        return Subject(Kind.CLUSTER, cluster_id)
    if text == Kind.HOST:
        return HOST
    raise InvalidField("subject", "cluster, host, or pool: with the name of a pool")


def derive(kind: Kind, values: Values) -> dict[str, float | None]:
    """The values of one moment, with their ratios; the greatest of one second is its value."""
    found = dict(values)
    for ratio in DERIVED[kind]:
        found[ratio.name] = divide(values.get(ratio.above), [values.get(b) for b in ratio.below])
    return found


def divide(above: float | None, below: Iterable[float | None]) -> float | None:
    """A ratio; None where one of its numbers is missing, or nothing was counted."""
    total = 0.0
    for each in below:
        if each is None:
            return None
        total += each
    return None if above is None or total <= 0 else above / total
