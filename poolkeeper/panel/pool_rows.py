"""The table of a cluster's pools: what it has, found, sorted and cut into pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from poolkeeper.domain.pools import Pool
from poolkeeper.domain.samples import Values
from poolkeeper.domain.standing import ClusterDetail
from poolkeeper.domain.status import Phase, PoolLoad
from poolkeeper.panel.paging import Slice, cut_slice
from poolkeeper.panel.standing import word_phase

AS_CONNECTING_USER = "(as the connecting user)"

SortKey = str | float


@dataclass(frozen=True)
class Column:
    """``key`` is what ``?sort=`` calls it. ``group``: of several columns, what they share."""

    key: str
    title: str
    hint: str = ""
    group: str = ""
    is_number: bool = True

    @property
    def name(self) -> str:
        """Its title without the heading above it."""
        return f"{self.group} {self.title}".lstrip()

    @property
    def choice(self) -> tuple[str, str]:
        """As one may choose it to sort by."""
        return self.key, self.name

    @property
    def meaning(self) -> tuple[str, str]:
        return self.name, self.hint


COLUMNS = (
    Column("name", "Name", "What clients give as the database", is_number=False),
    Column("status", "Status", is_number=False),
    Column("db", "Database", is_number=False),
    Column("user", "User", is_number=False),
    Column("mode", "Mode", "When a backend goes back to the pool", is_number=False),
    Column("size", "Size", "The most backend connections it may hold"),
    Column("clients_active", "active", "Clients that are connected and do not wait", "Clients"),
    Column("clients_waiting", "waiting", "Clients that wait for a backend", "Clients"),
    Column("backends_active", "active", "Backends that serve a client now", "Backends"),
    Column("backends_idle", "idle", "Backends that are open and free", "Backends"),
    Column("maxwait", "longest", "How long the first in the queue waits already", "Waiting"),
    Column("wait", "mean", "How long a transaction waited for its backend, lately", "Waiting"),
    Column("rate", "Transactions", "Transactions a second, lately"),
)
_KEYS = {column.key: column for column in COLUMNS}


@dataclass(frozen=True)
class PoolRow:
    """A pool with what is known of it. ``rate``, ``wait``: None if nobody has counted yet."""

    pool: Pool
    load: PoolLoad | None
    rate: float | None
    wait: float | None
    word: str
    tone: str
    reason: str
    held: int

    @property
    def name(self) -> str:
        return self.pool.name

    @property
    def is_calm(self) -> bool:
        return self.tone == "good"

    @property
    def is_shrinking(self) -> bool:
        """It still may hold more than its size."""
        return self.held > self.pool.shape.size


@dataclass(frozen=True)
class Table(Slice[PoolRow]):
    """One page of the table, and how it was made."""

    sort: str
    descending: bool
    query: str

    def link(self, *, sort: str | None = None, page: int = 1) -> str:
        """``?…`` for this table, sorted by another column or turned to another page."""
        descending = self.descending
        if sort is not None:
            first = _KEYS[sort].is_number
            descending = not self.descending if sort == self.sort else first
        chosen = {
            "q": self.query,
            "sort": sort or self.sort,
            "order": "desc" if descending else "",
            "page": str(page) if page > 1 else "",
        }
        given = {name: text for name, text in chosen.items() if text}
        return f"?{urlencode(given)}"

    def order_of(self, column: str) -> str:
        """As ``aria-sort`` has it; empty for other columns."""
        if column != self.sort:
            return ""
        return "descending" if self.descending else "ascending"


def list_rows(detail: ClusterDetail, rates: Mapping[str, Values]) -> list[PoolRow]:
    """All pools. ``rates``: by a pool's name what was sampled of it."""
    return [_make_row(detail, pool, rates.get(pool.name, {})) for pool in detail.pools]


def cut_table(
    rows: Sequence[PoolRow], *, query: str, sort: str, descending: bool, page: str
) -> Table:
    """The page of it that was asked for; whatever cannot be is as if it was not said."""
    wanted = query.strip().lower()
    found = [row for row in rows if _matches(row, wanted)]
    key = sort if sort in _KEYS else COLUMNS[0].key
    found = _sort(found, key, descending)
    cut = cut_slice(found, len(rows), page)
    return Table(
        cut.rows,
        cut.total,
        cut.found,
        cut.page,
        cut.pages,
        key,
        descending=descending,
        query=query,
    )


def _make_row(detail: ClusterDetail, pool: Pool, rates: Values) -> PoolRow:
    state = detail.pool_states.get(pool.id)
    phase = state.phase if state else Phase.APPLYING
    word, tone = word_phase(phase)
    reason = state.reason if state and phase is not Phase.ACTIVE else ""
    held = max(pool.shape.size, state.held if state else 0)
    load = detail.loads.get(pool.name)
    rate, wait = rates.get("xacts_per_second"), rates.get("wait_seconds")
    return PoolRow(pool, load, rate, wait, word, tone, reason, held)


def _matches(row: PoolRow, wanted: str) -> bool:
    shape = row.pool.shape
    texts = (row.name, shape.db, shape.user or AS_CONNECTING_USER, shape.mode, row.word)
    return any(wanted in text.lower() for text in texts)


def _sort(rows: Sequence[PoolRow], column: str, descending: bool) -> list[PoolRow]:
    """Equal ones by name, in either direction; what is not known comes last."""
    by_name = sorted(rows, key=lambda row: (row.name.lower(), row.name))
    pairs = [(_read(row, column), row) for row in by_name]
    known = [(key, row) for key, row in pairs if key is not None]
    known.sort(key=lambda pair: pair[0], reverse=descending)
    return [row for _, row in known] + [row for key, row in pairs if key is None]


def _read(row: PoolRow, column: str) -> SortKey | None:
    shape, load = row.pool.shape, row.load
    texts = {
        "name": row.name.lower(),
        "status": row.word,
        "db": shape.db.lower(),
        "user": (shape.user or "").lower(),
        "mode": shape.mode.value,
    }
    if column in texts:
        return texts[column]
    numbers: dict[str, float | None] = {"size": shape.size, "rate": row.rate, "wait": row.wait}
    if load is not None:
        numbers |= {
            "clients_active": load.clients_active,
            "clients_waiting": load.clients_waiting,
            "backends_active": load.backends_active,
            "backends_idle": load.backends_idle,
            "maxwait": load.maxwait_seconds,
        }
    return numbers.get(column)
