"""Tags, and which clusters bear them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, select

from poolkeeper.domain.events import EventKind
from poolkeeper.domain.tags import Tag, describe_tag
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import clusters, events, tags


def list_tags(tx: Transaction) -> list[Tag]:
    """All tags, by name; one that a cluster bears exists."""
    bearers = _read_bearers(tx)
    names = {*tx.connection.execute(select(tags.c.name)).scalars(), *bearers}
    ordered = sorted(names, key=lambda name: (name.lower(), name))
    return [describe_tag(name, bearers.get(name, {})) for name in ordered]


def list_tag_names(tx: Transaction) -> list[str]:
    """As list_tags, the names alone."""
    query = select(clusters.c.tags).where(clusters.c.deleted_at.is_(None))
    borne = {name for names in tx.connection.execute(query).scalars() for name in names}
    return sorted({*tx.connection.execute(select(tags.c.name)).scalars(), *borne})


def put_tags(tx: Transaction, names: Iterable[str]) -> None:
    """Have these tags exist."""
    known = set(tx.connection.execute(select(tags.c.name)).scalars())
    rows = [{"name": name, "created_at": tx.now} for name in names if name not in known]
    if rows:
        tx.connection.execute(insert(tags), rows)


def delete_tag(tx: Transaction, name: str) -> None:
    """Forget a tag. Clusters that bear it are the caller's to change."""
    tx.connection.execute(delete(tags).where(tags.c.name == name))


def _read_bearers(tx: Transaction) -> Mapping[str, Mapping[UUID, datetime]]:
    """By tag, the live clusters that bear it, and since when: their creation if unsaid."""
    given = _read_assignments(tx)
    columns = (clusters.c.id, clusters.c.tags, clusters.c.created_at)
    query = select(*columns).where(clusters.c.deleted_at.is_(None))
    bearers: defaultdict[str, dict[UUID, datetime]] = defaultdict(dict)
    for id, names, created_at in tx.connection.execute(query):
        for name in names:
            bearers[name][id] = given.get((id, name), created_at)
    return bearers


def _read_assignments(tx: Transaction) -> Mapping[tuple[UUID, str], datetime]:
    query = (
        select(events.c.cluster_id, events.c.subject, func.max(events.c.at))
        .where(events.c.kind == EventKind.TAG_ASSIGN.value)
        .group_by(events.c.cluster_id, events.c.subject)
    )
    return {(id, name): at for id, name, at in tx.connection.execute(query)}
