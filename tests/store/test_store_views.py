"""What is read of many clusters at once, beside what the same reads of one cluster find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from locations import START

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.domain.pools import PoolShape
from poolkeeper.domain.status import Phase, PoolState
from poolkeeper.domain.users import ShownUser, User
from poolkeeper.store import databases, pools, status, users
from poolkeeper.store.database import Store
from poolkeeper.store.schema import users as users_table
from poolkeeper.store.standings import PoolCount, count_pools, read_standings

AddCluster = Callable[..., Cluster]


def test_users_of_many_clusters_are_those_of_each(
    store: Store, add_cluster: AddCluster, user: User
) -> None:
    with store.write() as tx:
        first, second, third = (add_cluster(tx, name).id for name in ("a", "b", "c"))
        for cluster_id, name in ((second, "zoe"), (first, "app"), (second, "app"), (second, "x")):
            users.put_user(tx, cluster_id, replace(user, name=name, password=f"{name}'s"))
        users.mark_user_deleted(tx, second, "x", 2)
        users.put_user(tx, third, user)
        shown = users.list_shown_users(tx, [first, second, uuid4()], reveal=True)
        assert set(shown) == {first, second}
        for cluster_id, found in shown.items():
            assert found == [
                ShownUser(each.name, each.role, each.password, each.allow_replication)
                for each in users.list_users(tx, cluster_id)
            ]
        hidden = users.list_shown_users(tx, [second], reveal=False)
        assert [(each.name, each.password) for each in hidden[second]] == [("zoe", ""), ("app", "")]


def test_nothing_is_unsealed_that_is_not_shown(
    store: Store, add_cluster: AddCluster, user: User
) -> None:
    with store.write() as tx:
        cluster_id = add_cluster(tx).id
        users.put_user(tx, cluster_id, user)
        tx.connection.execute(users_table.update().values(verifier="cannot be unsealed"))
        [found] = users.list_shown_users(tx, [cluster_id], reveal=True)[cluster_id]
        assert found.password == user.password
        tx.connection.execute(users_table.update().values(password="cannot be unsealed"))
        assert users.list_shown_users(tx, [cluster_id], reveal=False)[cluster_id]
        with pytest.raises(PoolkeeperError):
            users.list_shown_users(tx, [cluster_id], reveal=True)


def test_database_names_of_many_clusters(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        first, second = add_cluster(tx, "a").id, add_cluster(tx, "b").id
        for cluster_id, name in ((first, "zeta"), (second, "only"), (first, "Alpha"), (first, "x")):
            databases.put_database(tx, cluster_id, name, 1)
        databases.mark_database_deleted(tx, first, "x", 2)
        found = databases.list_database_names(tx, [first, second])
        assert found == {first: ["zeta", "Alpha"], second: ["only"]}


def test_pools_of_many_clusters_stand_as_those_of_each(
    store: Store, add_cluster: AddCluster, shape: PoolShape
) -> None:
    with store.write() as tx:
        first, second = add_cluster(tx, "a").id, add_cluster(tx, "b").id
        seen = pools.insert_pool(tx, first, "seen", shape, 2)
        pools.insert_pool(tx, first, "unseen", replace(shape, size=3), 3)
        gone = pools.insert_pool(tx, first, "gone", replace(shape, size=4), 4)
        drained = pools.insert_pool(tx, first, "drained", shape, 5)
        theirs = pools.insert_pool(tx, second, "seen", replace(shape, size=5), 2)
        for pool, held in ((seen, 12), (gone, 4), (drained, 0), (theirs, 5)):
            state = PoolState(pool.id, Phase.ACTIVE, "", START, 1, held)
            status.write_pool_state(tx, state)
        pools.mark_pool_deleted(tx, gone.id, 6)
        pools.mark_pool_deleted(tx, drained.id, 7)
        found = read_standings(tx, [first, second], tx.now)
        assert found[first].held == {"seen": 12, "unseen": 3, "gone": 4}
        for cluster_id, standings in found.items():
            assert standings.pools == pools.list_pools(tx, cluster_id)
            assert standings.held == pools.read_held(tx, cluster_id, tx.now)
            live = {pool.id for pool in standings.pools}
            states = status.read_pool_states(tx, cluster_id)
            assert standings.states == {id: states[id] for id in states.keys() & live}
        assert found.keys() == {first, second}
        assert count_pools(tx, tx.now) == {
            id: PoolCount(len(standings.pools), standings.held.total())
            for id, standings in found.items()
        }
