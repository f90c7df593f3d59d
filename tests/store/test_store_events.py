"""The audit trail."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.store import clusters, events
from poolkeeper.store.database import Store

AddCluster = Callable[..., Cluster]


def test_round_trip_newest_first(store: Store, add_cluster: AddCluster) -> None:
    detail = {"size": 10, "user": None, "before": {"mode": "session"}, "text": "ünï"}
    with store.write() as tx:
        cluster = add_cluster(tx, "main")
        created = Event(EventKind.CLUSTER_CREATE, "me", "main", cluster.id)
        pooled = Event(EventKind.POOL_CREATE, "me", "web", cluster.id, detail)
        events.add_event(tx, created)
        events.add_event(tx, pooled)
        at = tx.now
    with store.write() as tx:
        token = Event(EventKind.TOKEN_CREATE, "root", "ci")
        events.add_event(tx, token)
    with store.read() as tx:
        recorded = events.list_events(tx)
        assert events.list_events(tx, cluster_id=cluster.id) == recorded[1:]
        assert events.list_events(tx, limit=1) == recorded[:1]
        assert events.list_events(tx, cluster_id=uuid4()) == []
    assert [entry.event for entry in recorded] == [token, pooled, created]
    assert [entry.cluster_name for entry in recorded] == [None, "main", "main"]
    assert recorded[1].at == recorded[2].at == at < recorded[0].at
    assert recorded[2].id < recorded[1].id < recorded[0].id


def test_an_entry_goes_with_its_transaction(store: Store) -> None:
    try:
        with store.write() as tx:
            events.add_event(tx, Event(EventKind.TOKEN_CREATE, "me", "ci"))
            raise RuntimeError
    except RuntimeError:
        pass
    with store.read() as tx:
        assert events.list_events(tx) == []


def test_an_entry_outlives_its_cluster_under_the_name_it_had(
    store: Store, add_cluster: AddCluster
) -> None:
    with store.write() as tx:
        gone = add_cluster(tx, "main")
        events.add_event(tx, Event(EventKind.CLUSTER_CREATE, "me", "main", gone.id))
        clusters.remove_cluster(tx, gone.id)
        other = add_cluster(tx, "other")
        events.add_event(tx, Event(EventKind.CLUSTER_CREATE, "me", "other", other.id))
    with store.read() as tx:
        (entry,) = events.list_events(tx, cluster_id=gone.id)
    assert entry.cluster_name == "main"


def test_what_json_does_not_know_is_kept_as_text(store: Store) -> None:
    number = uuid4()
    with store.write() as tx:
        events.add_event(tx, Event(EventKind.TOKEN_CREATE, "me", "ci", None, {"id": number}))
        (entry,) = events.list_events(tx)
    assert entry.event.detail == {"id": str(number)}
