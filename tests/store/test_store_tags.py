"""Tags, on each kind of store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.tags import Tag
from poolkeeper.store import clusters, events, tags
from poolkeeper.store.database import Store, Transaction

AddCluster = Callable[..., Cluster]


def give(tx: Transaction, cluster: Cluster, *names: str) -> None:
    clusters.update_cluster(tx, replace(cluster, tags=names))


def test_tags_exist_by_themselves_and_once(store: Store) -> None:
    with store.write() as tx:
        tags.put_tags(tx, ["blue", "Amber"])
        tags.put_tags(tx, ["blue"])
    with store.read() as tx:
        assert tags.list_tags(tx) == [Tag("Amber"), Tag("blue")]
        assert tags.list_tag_names(tx) == ["Amber", "blue"]
    with store.write() as tx:
        tags.delete_tag(tx, "blue")
        tags.delete_tag(tx, "blue")
    with store.read() as tx:
        assert tags.list_tag_names(tx) == ["Amber"]


def test_what_a_cluster_bears_exists_as_long_as_it_lives(
    store: Store, add_cluster: AddCluster
) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx, "main")
        give(tx, cluster, "old")
    with store.read() as tx:
        assert tags.list_tags(tx) == [Tag("old", 1, cluster.id)]
        assert tags.list_tag_names(tx) == ["old"]
    with store.write() as tx:
        clusters.mark_cluster_deleted(tx, cluster.id)
    with store.read() as tx:
        assert tags.list_tags(tx) == []
        assert tags.list_tag_names(tx) == []


def test_the_last_one_tagged_is_told_by_the_audit_trail(
    store: Store, add_cluster: AddCluster
) -> None:
    with store.write() as tx:
        first = add_cluster(tx, "first")
        give(tx, first, "blue")
    with store.write() as tx:
        second = add_cluster(tx, "second")
        give(tx, second, "blue")
    with store.read() as tx:
        assert tags.list_tags(tx) == [Tag("blue", 2, second.id)]
    with store.write() as tx:
        events.add_event(tx, Event(EventKind.TAG_ASSIGN, "me", "blue", first.id))
        events.add_event(tx, Event(EventKind.TAG_ASSIGN, "me", "other", second.id))
    with store.read() as tx:
        assert tags.list_tags(tx) == [Tag("blue", 2, first.id)]
