"""What became of a pool, told by its entries in the audit trail. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from poolkeeper.domain.events import EventKind, RecordedEvent

_KINDS = {
    EventKind.POOL_CREATE,
    EventKind.POOL_UPDATE,
    EventKind.POOL_DELETE,
    EventKind.POOL_REMOVED,
}
_NOBODY = "(as the connecting user)"
_BEFORE = "before"


@dataclass(frozen=True)
class FieldChange:
    """``before`` is empty where a pool began."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class PoolChange:
    """An entry, and what it changed of the pool's shape."""

    entry: RecordedEvent
    changes: tuple[FieldChange, ...]


def tell_changes(entries: Iterable[RecordedEvent]) -> list[PoolChange]:
    """The entries about pools among these, newest first as they come; those of one name."""
    of_pool = [entry for entry in entries if entry.event.kind in _KINDS]
    told = []
    known: Mapping[str, object] = {}
    for entry in reversed(of_pool):
        kind, detail = entry.event.kind, entry.event.detail
        is_over = kind in (EventKind.POOL_DELETE, EventKind.POOL_REMOVED)
        changes = () if is_over else _compare(detail, known)
        told.append(PoolChange(entry, changes))
        known = {} if is_over else detail
    return told[::-1]


def _compare(detail: Mapping[str, object], known: Mapping[str, object]) -> tuple[FieldChange, ...]:
    """What an entry changed. It says itself what was before; old ones leave that to others."""
    before = detail.get(_BEFORE, known)
    before = before if isinstance(before, Mapping) else known
    return tuple(
        FieldChange(
            field, _word(field, before[field]) if field in before else "", _word(field, value)
        )
        for field, value in detail.items()
        if field != _BEFORE and (field not in before or before[field] != value)
    )


def _word(field: str, value: object) -> str:
    return _NOBODY if field == "user" and value == "" else str(value)
