"""Tags: making them, and giving them to clusters.

Nothing here concerns a server, so nothing is waited for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.errors import NotFound
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.names import parse_tag_name, parse_tags
from poolkeeper.domain.tags import Tag, spell_tags
from poolkeeper.store import clusters, events, tags
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import require_cluster


def list_tags(context: Context) -> list[Tag]:
    """All tags, by name."""
    with context.store.read() as tx:
        return tags.list_tags(tx)


def get_tag(context: Context, name: str) -> Tag:
    """One tag, spelled as it is. Raises NotFound."""
    with context.store.read() as tx:
        return _require_tag(tx, name)


def create_tag(context: Context, actor: str, name: str) -> Tag:
    """Create a tag; one that exists, be it in other capitals, is what it was.

    Raises InvalidRequest.
    """
    parse_tag_name(name)
    with context.store.write() as tx:
        known = tags.list_tag_names(tx)
        (spelled,) = spell_tags([name], known)
        if spelled not in known:
            tags.put_tags(tx, [spelled])
            events.add_event(tx, Event(EventKind.TAG_CREATE, actor, spelled))
        return _require_tag(tx, spelled)


def delete_tag(context: Context, actor: str, name: str) -> None:
    """Delete a tag: the clusters that bear it lose it, and stay. Raises NotFound."""
    with context.store.write() as tx:
        _require_name(tx, name)
        for cluster in clusters.list_clusters(tx, tag=name):
            _take_off(tx, actor, cluster, name)
        tags.delete_tag(tx, name)
        events.add_event(tx, Event(EventKind.TAG_DELETE, actor, name))


def tag_clusters(context: Context, actor: str, name: str, ids: Iterable[UUID]) -> None:
    """Give all these clusters the tag, or none of them. Raises NotFound, InvalidRequest."""
    with context.store.write() as tx:
        _require_name(tx, name)
        tags.put_tags(tx, [name])
        for cluster_id in dict.fromkeys(ids):
            cluster = require_cluster(tx, cluster_id)
            if name not in cluster.tags:
                borne = parse_tags((*cluster.tags, name))
                clusters.update_cluster(tx, replace(cluster, tags=borne))
                events.add_event(tx, Event(EventKind.TAG_ASSIGN, actor, name, cluster_id))


def untag_clusters(context: Context, actor: str, name: str, ids: Iterable[UUID]) -> None:
    """Take the tag off all these clusters, or off none. Raises NotFound."""
    with context.store.write() as tx:
        _require_name(tx, name)
        tags.put_tags(tx, [name])
        for cluster_id in dict.fromkeys(ids):
            cluster = require_cluster(tx, cluster_id)
            if name in cluster.tags:
                _take_off(tx, actor, cluster, name)


def adopt_tags(tx: Transaction, wanted: Iterable[str]) -> tuple[str, ...]:
    """The tags of a new cluster, spelled as they are known; all of them exist afterwards."""
    spelled = spell_tags(wanted, tags.list_tag_names(tx))
    tags.put_tags(tx, spelled)
    return spelled


def preview_tags(tx: Transaction, wanted: Iterable[str]) -> tuple[str, ...]:
    """What ``adopt_tags`` would return."""
    return spell_tags(wanted, tags.list_tag_names(tx))


def _take_off(tx: Transaction, actor: str, cluster: Cluster, name: str) -> None:
    left = tuple(other for other in cluster.tags if other != name)
    clusters.update_cluster(tx, replace(cluster, tags=left))
    events.add_event(tx, Event(EventKind.TAG_UNASSIGN, actor, name, cluster.id))


def _require_name(tx: Transaction, name: str) -> None:
    if name not in tags.list_tag_names(tx):
        raise NotFound("not found")


def _require_tag(tx: Transaction, name: str) -> Tag:
    for tag in tags.list_tags(tx):
        if tag.name == name:
            return tag
    raise NotFound("not found")
