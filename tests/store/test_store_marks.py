"""The marks by which a change is noticed."""

from __future__ import annotations

from collections.abc import Callable

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.pools import PoolShape
from poolkeeper.domain.status import ClusterState, Phase, PoolState
from poolkeeper.store import clusters, events, pools, status
from poolkeeper.store.database import Store
from poolkeeper.store.marks import read_cluster_marks, read_last_event

AddCluster = Callable[..., Cluster]


def test_whatever_a_page_shows_of_a_cluster_changes_its_mark_alone(
    store: Store, add_cluster: AddCluster, shape: PoolShape
) -> None:
    with store.write() as tx:
        one, other = add_cluster(tx, "one"), add_cluster(tx, "other")
        seen = [read_cluster_marks(tx)]
        assert seen[0].keys() == {one.id, other.id}
        generation = clusters.bump_generation(tx, one.id)
        seen.append(read_cluster_marks(tx))
        state = ClusterState(one.id, Phase.WAITING, "why", tx.now)
        status.write_cluster_state(tx, state)
        seen.append(read_cluster_marks(tx))
        pool = pools.insert_pool(tx, one.id, "web", shape, generation)
        status.write_pool_state(tx, PoolState(pool.id, Phase.ACTIVE, "", tx.now, 1, 5))
        seen.append(read_cluster_marks(tx))
        # What concerns no server, such as a tag.
        entry = events.add_event(tx, Event(EventKind.TAG_ASSIGN, "me", "prod", one.id))
        seen.append(read_cluster_marks(tx))
        events.put_applied(tx, {entry: 34})
        seen.append(read_cluster_marks(tx))
        assert len({marks[one.id] for marks in seen}) == len(seen)
        assert {marks[other.id] for marks in seen} == {seen[0][other.id]}
        assert read_cluster_marks(tx) == seen[-1]
        clusters.mark_cluster_deleted(tx, one.id)
        assert read_cluster_marks(tx).keys() == {other.id}


def test_the_newest_event(store: Store) -> None:
    with store.write() as tx:
        before = read_last_event(tx)
        events.add_event(tx, Event(EventKind.TOKEN_CREATE, "me", "ci"))
        made = read_last_event(tx)
        assert made > before
        events.put_applied(tx, {made[0]: 34})
        assert read_last_event(tx) == (made[0], 34)
