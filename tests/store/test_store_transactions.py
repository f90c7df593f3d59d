"""What a transaction promises, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from locations import START, Location
from sqlalchemy.exc import IntegrityError

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.errors import NameTaken, Unavailable
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.pools import PoolShape
from poolkeeper.store import clusters, databases, events, pools
from poolkeeper.store.database import Store, Transaction

AddCluster = Callable[..., Cluster]
Race = Callable[[Callable[[int], object]], list[object]]


def test_what_was_written_is_there_after_reopening(
    location: Location, add_cluster: AddCluster
) -> None:
    store = location.open()
    with store.write() as tx:
        cluster = add_cluster(tx)
    store.close()
    store = location.open()
    with store.read() as tx:
        assert clusters.find_cluster(tx, cluster.id) == cluster
    store.close()


def test_an_exception_undoes_everything(store: Store, add_cluster: AddCluster) -> None:
    with pytest.raises(RuntimeError, match="stop"), store.write() as tx:
        add_cluster(tx)
        raise RuntimeError("stop")
    with store.read() as tx:
        assert clusters.list_cluster_ids(tx) == []


def test_the_next_transaction_works_after_a_statement_failed(
    store: Store, add_cluster: AddCluster, shape: PoolShape
) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx)
    for _ in range(3):
        with pytest.raises(IntegrityError), store.write() as tx:
            pools.insert_pool(tx, cluster.id, "web", replace(shape, size=-1), 2)
    with store.write() as tx:
        assert clusters.bump_generation(tx, cluster.id) == 2


def test_a_read_sees_one_snapshot(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx)
    with store.read() as before:
        assert databases.list_databases(before, cluster.id) == []
        with store.write() as tx:
            generation = clusters.bump_generation(tx, cluster.id)
            databases.put_database(tx, cluster.id, "app", generation)
        assert databases.list_databases(before, cluster.id) == []
        assert clusters.find_cluster(before, cluster.id) == cluster
        with store.read() as after:
            assert [item.name for item in databases.list_databases(after, cluster.id)] == ["app"]


def test_a_read_does_not_see_what_is_not_committed(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        add_cluster(tx)
        with store.read() as other:
            assert clusters.list_clusters(other) == []


def test_a_read_cannot_write(store: Store, add_cluster: AddCluster) -> None:
    with pytest.raises(Unavailable), store.read() as tx:
        add_cluster(tx)


def test_writes_of_threads_do_not_overlap(
    store: Store, add_cluster: AddCluster, race: Race
) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx)
    inside = threading.Lock()

    def count_up(_: int) -> int:
        with store.write() as tx:
            assert inside.acquire(blocking=False)
            generation = clusters.bump_generation(tx, cluster.id)
            inside.release()
            return generation

    assert sorted(map(int, map(str, race(count_up)))) == list(range(2, 22))


def test_writes_of_two_stores_do_not_overlap(
    location: Location, add_cluster: AddCluster, race: Race
) -> None:
    """Two stores stand for two processes: they share nothing but the database."""
    stores = [location.open(), location.open()]
    with stores[0].write() as tx:
        cluster = add_cluster(tx)

    def read_then_write(number: int) -> int:
        with stores[number % 2].write() as tx:
            found = clusters.find_cluster(tx, cluster.id)
            assert found is not None
            generation = clusters.bump_generation(tx, cluster.id)
            assert generation == found.generation + 1
            return generation

    assert sorted(map(int, map(str, race(read_then_write)))) == list(range(2, 22))
    for store in stores:
        store.close()


def test_one_of_twenty_gets_a_pool_name(
    store: Store, add_cluster: AddCluster, shape: PoolShape, race: Race
) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx)

    def insert(_: int) -> int:
        with store.write() as tx:
            return pools.insert_pool(tx, cluster.id, "web", shape, 2).id

    results = race(insert)
    assert sum(isinstance(result, int) for result in results) == 1
    losers = [result for result in results if not isinstance(result, int)]
    assert {type(loser) for loser in losers} == {NameTaken}
    assert {str(loser) for loser in losers} == {"pool name is not available"}


def test_one_of_twenty_gets_a_cluster_name(
    store: Store, add_cluster: AddCluster, race: Race
) -> None:
    def insert(_: int) -> Cluster:
        with store.write() as tx:
            return add_cluster(tx, "main")

    results = race(insert)
    assert sum(isinstance(result, Cluster) for result in results) == 1
    losers = [result for result in results if not isinstance(result, Cluster)]
    assert {(type(loser), str(loser)) for loser in losers} == {
        (NameTaken, "cluster name is not available")
    }


def test_many_threads_read_while_others_write(
    store: Store, add_cluster: AddCluster, race: Race
) -> None:
    """Each write adds one database with each generation, so a reader can tell a torn view."""
    with store.write() as tx:
        cluster = add_cluster(tx)

    def write(number: int) -> None:
        for step in range(5):
            with store.write() as tx:
                generation = clusters.bump_generation(tx, cluster.id)
                databases.put_database(tx, cluster.id, f"db{number}-{step}", generation)

    def read() -> None:
        for _ in range(20):
            with store.read() as tx:
                desired = clusters.read_desired(tx, cluster.id)
            assert desired is not None
            assert desired.cluster.generation == len(desired.databases) + 1

    assert race(lambda number: read() if number % 4 else write(number)) == [None] * 20


def test_now_is_the_moment_of_the_beginning_in_utc(location: Location) -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    store = location.open(now=lambda: START.astimezone(zone))
    with store.write() as tx:
        assert tx.now == START
        assert tx.now.tzinfo is UTC
    store.close()


def test_moments_come_back_in_utc_to_the_microsecond(location: Location) -> None:
    moment = datetime(2026, 7, 1, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-7)))
    store = location.open(now=lambda: moment)
    with store.write() as tx:
        events.add_event(tx, Event(EventKind.TOKEN_CREATE, "me", "ci"))
    with store.read() as tx:
        (recorded,) = events.list_events(tx)
    assert recorded.at == moment
    assert recorded.at.tzinfo is UTC
    store.close()


def test_a_naive_moment_is_refused(location: Location) -> None:
    store = location.open()
    with store.write() as tx, pytest.raises(Exception, match="has no time zone"):
        events.add_event(
            Transaction(tx.connection, tx.sealer, datetime(2026, 1, 1)),
            Event(EventKind.TOKEN_CREATE, "me", "ci"),
        )
    store.close()


def test_a_hasty_write_is_there_at_once_and_the_next_one_is_durable_again(
    store: Store, add_cluster: AddCluster
) -> None:
    with store.write(durable=False) as tx:
        cluster = add_cluster(tx, "hasty")
        hasty = read_durability(tx)
    with store.read() as tx:
        assert clusters.find_cluster(tx, cluster.id) is not None
    with store.write() as tx:
        assert read_durability(tx) != hasty


def read_durability(tx: Transaction) -> object:
    is_sqlite = tx.connection.dialect.name == "sqlite"
    query = "PRAGMA synchronous" if is_sqlite else "SHOW synchronous_commit"
    return tx.connection.exec_driver_sql(query).scalar()
