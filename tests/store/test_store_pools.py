"""Pools as they are wanted, and what they hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from locations import START

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.errors import NameTaken, NotFound
from poolkeeper.domain.pools import MAX_POOL_SIZE, PoolMode, PoolShape
from poolkeeper.domain.status import Phase, PoolState
from poolkeeper.store import pools, status
from poolkeeper.store.database import Store, Transaction

AddCluster = Callable[..., Cluster]


@pytest.fixture
def cluster_id(store: Store, add_cluster: AddCluster) -> UUID:
    with store.write() as tx:
        return add_cluster(tx).id


def test_round_trip(store: Store, cluster_id: UUID, shape: PoolShape) -> None:
    inbound = PoolShape("other", None, PoolMode.SESSION, MAX_POOL_SIZE)
    with store.write() as tx:
        web = pools.insert_pool(tx, cluster_id, "web", shape, 2)
        assert web.created_at == tx.now
        assert (web.name, web.shape, web.generation, web.deleted_at) == ("web", shape, 2, None)
        jobs = pools.insert_pool(tx, cluster_id, "jobs", inbound, 3)
    with store.write() as tx:
        later = pools.insert_pool(tx, cluster_id, "a-later-one", shape, 4)
    with store.read() as tx:
        assert pools.find_pool(tx, cluster_id, "web") == web
        assert pools.find_pool(tx, cluster_id, "none") is None
        assert pools.list_pools(tx, cluster_id) == [jobs, web, later]


def test_change(store: Store, cluster_id: UUID, shape: PoolShape) -> None:
    after = PoolShape("other", None, PoolMode.STATEMENT, 3)
    with store.write() as tx:
        pool = pools.insert_pool(tx, cluster_id, "web", shape, 2)
        pools.change_pool(tx, pool.id, after, 3)
        assert pools.find_pool(tx, cluster_id, "web") == replace(pool, shape=after, generation=3)


def test_a_deleted_pool_drains_and_its_name_is_free(
    store: Store, cluster_id: UUID, shape: PoolShape
) -> None:
    with store.write() as tx:
        first = pools.insert_pool(tx, cluster_id, "web", shape, 2)
        assert pools.find_draining_pool(tx, cluster_id, "web") is None
    with store.write() as tx:
        pools.mark_pool_deleted(tx, first.id, 3)
        draining = replace(first, generation=3, deleted_at=tx.now)
        assert pools.find_pool(tx, cluster_id, "web") is None
        assert pools.list_pools(tx, cluster_id) == []
        assert pools.find_draining_pool(tx, cluster_id, "web") == draining
    with store.write() as tx:
        second = pools.insert_pool(tx, cluster_id, "web", shape, 4)
        assert second.id > first.id
        assert pools.find_pool(tx, cluster_id, "web") == second


def test_of_two_draining_pools_the_one_deleted_last_is_found(
    store: Store, cluster_id: UUID, shape: PoolShape
) -> None:
    ids = []
    for generation in (2, 3):
        with store.write() as tx:
            pool = pools.insert_pool(tx, cluster_id, "web", shape, generation)
            pools.mark_pool_deleted(tx, pool.id, generation)
            ids.append(pool.id)
    with store.read() as tx:
        found = pools.find_draining_pool(tx, cluster_id, "web")
    assert found is not None
    assert found.id == ids[-1]


def test_a_draining_pool_can_be_revived(store: Store, cluster_id: UUID, shape: PoolShape) -> None:
    after = replace(shape, size=5)
    with store.write() as tx:
        pool = pools.insert_pool(tx, cluster_id, "web", shape, 2)
        pools.mark_pool_deleted(tx, pool.id, 3)
        pools.revive_pool(tx, pool.id, after, 4)
        assert pools.find_draining_pool(tx, cluster_id, "web") is None
        assert pools.find_pool(tx, cluster_id, "web") == replace(pool, shape=after, generation=4)


def test_a_draining_pool_whose_name_is_taken_cannot_be_revived(
    store: Store, cluster_id: UUID, shape: PoolShape
) -> None:
    with store.write() as tx:
        old = pools.insert_pool(tx, cluster_id, "web", shape, 2)
        pools.mark_pool_deleted(tx, old.id, 3)
        pools.insert_pool(tx, cluster_id, "web", shape, 4)
    with pytest.raises(NameTaken), store.write() as tx:
        pools.revive_pool(tx, old.id, shape, 5)


def test_clusters_have_pools_of_one_name(
    store: Store, cluster_id: UUID, add_cluster: AddCluster, shape: PoolShape
) -> None:
    with store.write() as tx:
        other = add_cluster(tx, "other").id
        ours = pools.insert_pool(tx, cluster_id, "web", shape, 2)
        theirs = pools.insert_pool(tx, other, "web", shape, 2)
        assert pools.list_pools(tx, cluster_id) == [ours]
        assert pools.list_pools(tx, other) == [theirs]


def test_a_purged_pool_is_gone_with_its_status_and_its_id_is_not_used_again(
    store: Store, cluster_id: UUID, shape: PoolShape
) -> None:
    with store.write() as tx:
        pool = pools.insert_pool(tx, cluster_id, "web", shape, 2)
        status.write_pool_state(tx, PoolState(pool.id, Phase.ACTIVE, "", START, 2, 10))
        pools.purge_pool(tx, pool.id)
        assert status.read_pool_states(tx, cluster_id) == {}
        assert pools.insert_pool(tx, cluster_id, "web", shape, 3).id > pool.id


def test_what_is_gone_cannot_be_changed(store: Store, cluster_id: UUID, shape: PoolShape) -> None:
    with store.write() as tx:
        with pytest.raises(NotFound):
            pools.change_pool(tx, 1, shape, 2)
        with pytest.raises(NotFound):
            pools.mark_pool_deleted(tx, 1, 2)
        with pytest.raises(NotFound):
            pools.revive_pool(tx, 1, shape, 2)
        pools.purge_pool(tx, 1)


def test_held_is_the_size_or_more_while_a_pool_shrinks(
    store: Store, cluster_id: UUID, add_cluster: AddCluster, shape: PoolShape
) -> None:
    with store.write() as tx:
        other = add_cluster(tx, "other").id
        pools.insert_pool(tx, other, "theirs", shape, 1)
        pools.insert_pool(tx, cluster_id, "new", replace(shape, size=4), 2)
        for name, size, held in (("shrinking", 3, 9), ("growing", 9, 3), ("steady", 5, 5)):
            pool = pools.insert_pool(tx, cluster_id, name, replace(shape, size=size), 2)
            _hold(tx, pool.id, held)
        assert pools.read_held(tx, cluster_id, tx.now) == {
            "new": 4,
            "shrinking": 9,
            "growing": 9,
            "steady": 5,
        }


def test_held_adds_up_the_pools_of_one_name(
    store: Store, cluster_id: UUID, shape: PoolShape
) -> None:
    with store.write() as tx:
        for generation, held in ((2, 10), (3, 12)):
            old = pools.insert_pool(tx, cluster_id, "web", shape, generation)
            _hold(tx, old.id, held)
            pools.mark_pool_deleted(tx, old.id, generation)
        pools.insert_pool(tx, cluster_id, "web", replace(shape, size=2), 4)
        assert pools.read_held(tx, cluster_id, tx.now) == {"web": 10 + 12 + 2}


def test_a_deleted_pool_holds_its_size_until_it_was_seen_to_hold_nothing(
    store: Store, cluster_id: UUID, shape: PoolShape
) -> None:
    with store.write() as tx:
        gone = pools.insert_pool(tx, cluster_id, "web", replace(shape, size=7), 2)
        pools.mark_pool_deleted(tx, gone.id, 3)
        assert pools.read_held(tx, cluster_id, tx.now) == {"web": 7}
        _hold(tx, gone.id, 7)
        assert pools.read_held(tx, cluster_id, tx.now) == {"web": 7}
        _hold(tx, gone.id, 0)
        assert pools.read_held(tx, cluster_id, tx.now) == {}


def test_a_deleted_pool_keeps_its_share_for_a_while_though_it_holds_nothing(
    store: Store, cluster_id: UUID, shape: PoolShape
) -> None:
    with store.write() as tx:
        gone = pools.insert_pool(tx, cluster_id, "web", replace(shape, size=7), 2)
        pools.mark_pool_deleted(tx, gone.id, 3)
        _hold(tx, gone.id, 0)
        assert pools.read_held(tx, cluster_id, tx.now - timedelta(seconds=1)) == {"web": 7}


def _hold(tx: Transaction, pool_id: int, held: int) -> None:
    state = PoolState(pool_id, Phase.ACTIVE, "", START, 1, held)
    status.write_pool_state(tx, state)
