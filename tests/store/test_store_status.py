"""What the reconciler saw and did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from locations import START

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.pools import PoolShape
from poolkeeper.domain.status import ClusterState, Failure, Phase, PoolState
from poolkeeper.store import clusters, pools, status
from poolkeeper.store.database import Store

AddCluster = Callable[..., Cluster]


def test_cluster_states_are_replaced(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        first, second = add_cluster(tx, "first"), add_cluster(tx, "second")
        assert status.read_cluster_state(tx, first.id) is None
        assert status.list_cluster_states(tx, [first.id]) == {}
        creating = ClusterState(first.id, Phase.CREATING, "initdb", START, step="initdb")
        status.write_cluster_state(tx, creating)
    online = ClusterState(
        first.id, Phase.ACTIVE, "", START + timedelta(hours=1), "", 7, 6,
        was_online=True, pending=("x", "y"), restarted_generation=5, max_connections=25,
    )  # fmt: skip
    waiting = replace(creating, cluster_id=second.id, phase=Phase.WAITING)
    with store.write() as tx:
        status.write_cluster_state(tx, online)
        status.write_cluster_state(tx, waiting)
        clusters.mark_cluster_deleted(tx, second.id)
    with store.read() as tx:
        assert status.read_cluster_state(tx, first.id) == online
        both = {first.id: online, second.id: waiting}
        assert status.list_cluster_states(tx, [first.id, second.id, uuid4()]) == both
        assert status.list_cluster_states(tx, [second.id]) == {second.id: waiting}
        assert status.read_cluster_state(tx, uuid4()) is None


def test_a_state_written_again_unchanged_is_no_second_row(
    store: Store, add_cluster: AddCluster
) -> None:
    with store.write() as tx:
        state = ClusterState(add_cluster(tx).id, Phase.ACTIVE, "", START)
        status.write_cluster_state(tx, state)
        status.write_cluster_state(tx, state)
        assert status.list_cluster_states(tx, [state.cluster_id]) == {state.cluster_id: state}


def test_pool_states_are_replaced(store: Store, add_cluster: AddCluster, shape: PoolShape) -> None:
    with store.write() as tx:
        cluster, other = add_cluster(tx), add_cluster(tx, "other")
        web = pools.insert_pool(tx, cluster.id, "web", shape, 2)
        old = pools.insert_pool(tx, cluster.id, "old", shape, 2)
        theirs = pools.insert_pool(tx, other.id, "web", shape, 2)
        for pool in (web, old, theirs):
            state = PoolState(pool.id, Phase.APPLYING, "reload", START, 1, 10)
            status.write_pool_state(tx, state)
        active = PoolState(web.id, Phase.ACTIVE, "", START + timedelta(1), 2, 11)
        status.write_pool_state(tx, active)
        pools.mark_pool_deleted(tx, old.id, 3)
    with store.read() as tx:
        states = status.read_pool_states(tx, cluster.id)
    assert states[web.id] == active
    assert states.keys() == {web.id, old.id}


def test_failures_are_replaced_as_a_whole(store: Store, add_cluster: AddCluster) -> None:
    first = {"pool:web": Failure(3, "refused"), "user:app": Failure(4, "no such role")}
    second = {"pool:web": Failure(5, "refused again"), "database:x": Failure(6, "in use")}
    with store.write() as tx:
        cluster, other = add_cluster(tx), add_cluster(tx, "other")
        assert status.read_failures(tx, cluster.id) == {}
        status.write_failures(tx, other.id, first)
        status.write_failures(tx, cluster.id, first)
        assert status.read_failures(tx, cluster.id) == first
        status.write_failures(tx, cluster.id, second)
        assert status.read_failures(tx, cluster.id) == second
        status.write_failures(tx, cluster.id, {})
        assert status.read_failures(tx, cluster.id) == {}
        assert status.read_failures(tx, other.id) == first
