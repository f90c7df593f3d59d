"""Clusters as they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from locations import START

from poolkeeper.domain.clusters import Cluster, Ports
from poolkeeper.domain.errors import NameTaken, NotFound
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.pools import PoolShape
from poolkeeper.domain.sizes import parse_size
from poolkeeper.domain.status import ClusterState, Failure, Phase, PoolState
from poolkeeper.domain.users import User
from poolkeeper.store import clusters, databases, events, pools, status, users
from poolkeeper.store.database import Store, Transaction

AddCluster = Callable[..., Cluster]


def test_round_trip(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx, "main", tags=("prod", "eu"))
        assert cluster.created_at == tx.now
    assert cluster.generation == 1
    assert cluster.tags == ("prod", "eu")
    assert cluster.size == parse_size("db-s-1vcpu-1gb")
    assert cluster.ports == Ports(25060)
    with store.read() as tx:
        assert clusters.find_cluster(tx, cluster.id) == cluster
        assert clusters.find_cluster_by_name(tx, "main") == cluster
        assert clusters.list_clusters(tx) == [cluster]
        assert clusters.find_cluster(tx, uuid4()) is None
        assert clusters.find_cluster_by_name(tx, "other") is None


def test_listed_oldest_first_and_by_tag(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        # Both of one moment: then the name decides.
        second = add_cluster(tx, "zeta", tags=("prod", "eu"))
        first = add_cluster(tx, "alpha", tags=("production",))
    with store.write() as tx:
        third = add_cluster(tx, "beta", tags=("prod",))
    with store.read() as tx:
        assert clusters.list_clusters(tx) == [first, second, third]
        assert clusters.list_clusters(tx, tag="prod") == [second, third]
        assert clusters.list_clusters(tx, tag="none") == []
        # A part of a tag is no tag, and none is a pattern.
        assert clusters.list_clusters(tx, tag="pro%") == []


def test_a_page_of_the_list_is_cut_before_it_is_read(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        tags = {"a": (), "b": ("prod",), "c": ("prod", "eu"), "d": (), "e": ("prod",)}
        found = [add_cluster(tx, name, tags=each) for name, each in tags.items()]
        clusters.mark_cluster_deleted(tx, add_cluster(tx, "f", tags=("prod",)).id)
    with store.read() as tx:
        assert clusters.list_clusters(tx, offset=1, limit=2) == found[1:3]
        assert clusters.list_clusters(tx, offset=4) == found[4:]
        assert clusters.list_clusters(tx, offset=2**62, limit=200) == []
        assert clusters.list_clusters(tx, tag="prod", offset=1, limit=2) == [found[2], found[4]]
        assert clusters.count_clusters(tx) == 5
        assert clusters.count_clusters(tx, tag="prod") == 3
        assert clusters.count_clusters(tx, tag="none") == 0


def test_generations_grow_by_one(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx)
        assert [clusters.bump_generation(tx, cluster.id) for _ in range(3)] == [2, 3, 4]
        with pytest.raises(NotFound, match=r"^cluster not found$"):
            clusters.bump_generation(tx, uuid4())


def test_a_deleted_cluster_is_hidden_until_it_is_removed(
    store: Store, add_cluster: AddCluster
) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx)
    with store.write() as tx:
        assert clusters.mark_cluster_deleted(tx, cluster.id) == 2
        deleted_at = tx.now
    with store.read() as tx:
        assert clusters.find_cluster(tx, cluster.id) is None
        assert clusters.find_cluster_by_name(tx, cluster.name) is None
        assert clusters.list_clusters(tx) == []
        assert clusters.list_cluster_ids(tx) == [cluster.id]
        assert clusters.list_ports(tx) == {cluster.ports.direct}
        desired = clusters.read_desired(tx, cluster.id)
    assert desired is not None
    assert (desired.cluster.deleted_at, desired.cluster.generation) == (deleted_at, 2)


def test_the_name_of_a_deleted_cluster_is_free(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        clusters.mark_cluster_deleted(tx, add_cluster(tx, "main").id)
        clusters.mark_cluster_deleted(tx, add_cluster(tx, "main").id)
        live = add_cluster(tx, "main")
    with store.read() as tx:
        assert clusters.find_cluster_by_name(tx, "main") == live
        assert len(clusters.list_ports(tx)) == 3
    with pytest.raises(NameTaken, match=r"^cluster name is not available$"), store.write() as tx:
        add_cluster(tx, "main")


def test_desired_has_everything_also_what_is_to_go(
    store: Store, add_cluster: AddCluster, shape: PoolShape, user: User
) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx)
        other = add_cluster(tx, "other")
        databases.put_database(tx, other.id, "theirs", 1)
        databases.put_database(tx, cluster.id, "kept", 1)
        databases.put_database(tx, cluster.id, "gone", 1)
        databases.mark_database_deleted(tx, cluster.id, "gone", 2)
        users.put_user(tx, cluster.id, user)
        users.mark_user_deleted(tx, cluster.id, user.name, 3)
        live = pools.insert_pool(tx, cluster.id, "live", shape, 4)
        draining = pools.insert_pool(tx, cluster.id, "draining", shape, 5)
        pools.mark_pool_deleted(tx, draining.id, 6)
    with store.read() as tx:
        desired = clusters.read_desired(tx, cluster.id)
        assert clusters.read_desired(tx, uuid4()) is None
    assert desired is not None
    assert desired.cluster == cluster
    assert (desired.superuser_password, desired.console_password) == ("superuser's", "console's")
    assert [(item.name, item.generation, item.deleted) for item in desired.databases] == [
        ("kept", 1, False),
        ("gone", 2, True),
    ]
    assert [(item.name, item.generation, item.deleted) for item in desired.users] == [
        (user.name, 3, True)
    ]
    assert {pool.name: pool.deleted_at is None for pool in desired.pools} == {
        "live": True,
        "draining": False,
    }
    assert live in desired.pools


def test_passwords_are_not_in_the_rows(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        add_cluster(tx)
        row = tx.connection.exec_driver_sql("SELECT * FROM clusters").one()
    assert "superuser's" not in str(row)
    assert "console's" not in str(row)


def test_a_removed_cluster_leaves_only_its_events(
    store: Store, add_cluster: AddCluster, shape: PoolShape, user: User
) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx)
        _fill(tx, cluster, shape, user)
        kept = add_cluster(tx, "kept")
        _fill(tx, kept, shape, user)
        events.add_event(tx, Event(EventKind.CLUSTER_CREATE, "me", "main", cluster.id))
    with store.write() as tx:
        clusters.remove_cluster(tx, cluster.id)
        # Said after the removal, it still knows the name.
        events.add_event(tx, Event(EventKind.CLUSTER_REMOVED, "reconciler", "main", cluster.id))
    with store.read() as tx:
        assert clusters.list_cluster_ids(tx) == [kept.id]
        assert clusters.list_ports(tx) == {kept.ports.direct}
        for table in ("databases", "users", "pools", "pool_states", "cluster_states", "failures"):
            query = f"SELECT count(*) FROM {table}"
            assert tx.connection.exec_driver_sql(query).scalar() == 1, table
        names = {recorded.cluster_name for recorded in events.list_events(tx)}
    assert names == {"main"}


def test_a_port_is_given_once(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx)
        assert clusters.list_ports(tx) == {25060}
        other = add_cluster(tx, "other")
    with pytest.raises(Exception, match="direct_port"), store.write() as tx:
        tx.connection.exec_driver_sql(
            f"UPDATE clusters SET direct_port = {cluster.ports.direct} WHERE name = '{other.name}'"
        )


def test_a_port_is_free_once_its_cluster_is_stopped(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx)
        state = ClusterState(cluster.id, Phase.ACTIVE, "", tx.now, was_online=True)
        status.write_cluster_state(tx, state)
        clusters.mark_cluster_deleted(tx, cluster.id)
        assert clusters.list_ports(tx) == {25060}
        status.write_cluster_state(tx, replace(state, phase=Phase.DELETED))
        assert clusters.list_ports(tx) == set()
        add_cluster(tx, "heir")
        tx.connection.exec_driver_sql("UPDATE clusters SET direct_port = 25060 WHERE name = 'heir'")
        assert clusters.list_ports(tx) == {25060}
        # Whoever is removed later takes nothing along.
        clusters.remove_cluster(tx, cluster.id)
        assert clusters.list_ports(tx) == {25060}


def _fill(tx: Transaction, cluster: Cluster, shape: PoolShape, user: User) -> None:
    since = START + timedelta(days=1)
    databases.put_database(tx, cluster.id, "defaultdb", 1)
    users.put_user(tx, cluster.id, user)
    pool = pools.insert_pool(tx, cluster.id, "web", shape, 2)
    status.write_pool_state(tx, PoolState(pool.id, Phase.ACTIVE, "", since, 2, 10))
    status.write_cluster_state(tx, ClusterState(cluster.id, Phase.ACTIVE, "", since))
    status.write_failures(tx, cluster.id, {"pool:web": Failure(2, "refused")})
