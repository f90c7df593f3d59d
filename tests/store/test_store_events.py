"""The audit trail."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.events import Event, EventKind, EventSearch
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


def test_how_long_it_took_is_written_later(store: Store) -> None:
    with store.write() as tx:
        event_id = events.add_event(tx, Event(EventKind.TOKEN_CREATE, "me", "ci"))
        other_id = events.add_event(tx, Event(EventKind.TOKEN_CREATE, "me", "other"))
    with store.write(durable=False) as tx:
        # An entry that is not there is nobody's fault.
        events.put_applied(tx, {event_id: 34, other_id + 1: 1})
    with store.read() as tx:
        found = [(entry.id, entry.applied_ms) for entry in events.list_events(tx)]
    assert found == [(other_id, None), (event_id, 34)]


def test_what_is_looked_for(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx, "main")
        detail = {"db": "ünï", "size": 5}
        ids = [
            events.add_event(tx, Event(EventKind.POOL_CREATE, "Anna", "web", cluster.id, detail)),
            events.add_event(tx, Event(EventKind.POOL_DELETE, "ci", "web", cluster.id)),
            events.add_event(tx, Event(EventKind.TOKEN_CREATE, "anna_b", "100%")),
        ]

        def find(**what: object) -> list[int]:
            search = EventSearch(**what)  # type: ignore[arg-type]
            return [ids.index(entry.id) for entry in events.list_events(tx, search=search)]

        pools = frozenset({EventKind.POOL_CREATE, EventKind.POOL_DELETE})
        assert find() == [2, 1, 0]
        assert find(kinds=pools) == [1, 0]
        assert find(kinds=frozenset({EventKind.TAG_CREATE})) == []
        assert find(actor="ANNA") == [2, 0]
        # Neither is a pattern.
        assert find(actor="a_b") == [2] and find(text="%") == [2] and find(text="w_b") == []
        assert find(text="WEB") == find(text="mai") == find(text="pool_") == [1, 0]
        assert find(text="\0") == find(actor="ci\0") == []
        assert find(text='"size":5', actor="anna", kinds=pools) == [0]
        assert find(before=ids[2]) == find(before=ids[2], since=ids[0]) == [1, 0]
        assert find(since=ids[1]) == [2, 1]
        found = events.list_events(tx, cluster_id=cluster.id, search=EventSearch(actor="anna"))
        assert [entry.id for entry in found] == ids[:1]


def test_where_so_many_entries_end(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx, "main")
        token = Event(EventKind.TOKEN_CREATE, "me", "ci")
        pool = Event(EventKind.POOL_CREATE, "me", "web", cluster.id)
        ids = [events.add_event(tx, each) for each in (pool, token, pool, token, pool)]
        assert events.find_end(tx, None, None, 5) is None
        assert events.find_end(tx, None, None, 4) == ids[1]
        assert events.find_end(tx, None, ids[4], 1) == ids[3]
        assert events.find_end(tx, cluster.id, None, 2) == ids[2]
        assert events.find_end(tx, cluster.id, ids[2], 1) is None


def test_every_cluster_of_which_there_is_an_entry(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        assert events.list_event_clusters(tx) == {}
        events.add_event(tx, Event(EventKind.TOKEN_CREATE, "me", "ci"))
        assert events.list_event_clusters(tx) == {}
        expected = {}
        for number in range(5):
            cluster = add_cluster(tx, f"c{number}")
            for _ in range(3):
                events.add_event(tx, Event(EventKind.POOL_CREATE, "me", "web", cluster.id))
            expected[cluster.id] = f"c{number}"
            if number == 2:
                clusters.remove_cluster(tx, cluster.id)
        add_cluster(tx, "silent")
        assert events.list_event_clusters(tx) == expected
