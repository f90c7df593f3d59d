"""Databases and users as they are wanted, and the tombstones of those that are to go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.databases import Database
from poolkeeper.domain.errors import NotFound
from poolkeeper.domain.users import Role, User
from poolkeeper.store import databases, users
from poolkeeper.store.clusters import read_desired
from poolkeeper.store.database import Store, Transaction

AddCluster = Callable[..., Cluster]


@pytest.fixture
def cluster_id(store: Store, add_cluster: AddCluster) -> UUID:
    with store.write() as tx:
        return add_cluster(tx).id


def test_databases_come_in_the_order_of_their_creation(store: Store, cluster_id: UUID) -> None:
    with store.write() as tx:
        for name in ("zeta", "Alpha", "beta.x"):
            databases.put_database(tx, cluster_id, name, 1)
        assert databases.list_databases(tx, cluster_id) == [
            Database("zeta", 1),
            Database("Alpha", 1),
            Database("beta.x", 1),
        ]


def test_a_deleted_database_stays_as_a_tombstone(store: Store, cluster_id: UUID) -> None:
    with store.write() as tx:
        databases.put_database(tx, cluster_id, "app", 1)
        databases.mark_database_deleted(tx, cluster_id, "app", 2)
        assert databases.list_databases(tx, cluster_id) == []
        assert _all_databases(tx, cluster_id) == (Database("app", 2, deleted=True),)


def test_a_database_wanted_again_lifts_its_tombstone(store: Store, cluster_id: UUID) -> None:
    with store.write() as tx:
        databases.put_database(tx, cluster_id, "app", 1)
        databases.put_database(tx, cluster_id, "web", 2)
        databases.mark_database_deleted(tx, cluster_id, "app", 3)
        databases.put_database(tx, cluster_id, "app", 4)
        # Created later than the other one now.
        assert _all_databases(tx, cluster_id) == (Database("web", 2), Database("app", 4))


def test_a_live_database_wanted_once_more_keeps_its_place(store: Store, cluster_id: UUID) -> None:
    with store.write() as tx:
        databases.put_database(tx, cluster_id, "app", 1)
        databases.put_database(tx, cluster_id, "web", 2)
        databases.put_database(tx, cluster_id, "app", 3)
        assert _all_databases(tx, cluster_id) == (Database("app", 3), Database("web", 2))


def test_only_a_live_database_can_be_deleted(store: Store, cluster_id: UUID) -> None:
    with store.write() as tx:
        with pytest.raises(NotFound):
            databases.mark_database_deleted(tx, cluster_id, "app", 1)
        databases.put_database(tx, cluster_id, "app", 1)
        databases.mark_database_deleted(tx, cluster_id, "app", 2)
        with pytest.raises(NotFound):
            databases.mark_database_deleted(tx, cluster_id, "app", 3)
        assert _all_databases(tx, cluster_id) == (Database("app", 2, deleted=True),)


def test_a_forgotten_database_is_no_order_to_drop(store: Store, cluster_id: UUID) -> None:
    with store.write() as tx:
        databases.put_database(tx, cluster_id, "app", 1)
        databases.forget_database(tx, cluster_id, "app")
        databases.forget_database(tx, cluster_id, "never")
        assert _all_databases(tx, cluster_id) == ()


def test_clusters_have_databases_of_one_name(
    store: Store, cluster_id: UUID, add_cluster: AddCluster
) -> None:
    with store.write() as tx:
        other = add_cluster(tx, "other").id
        databases.put_database(tx, cluster_id, "app", 1)
        databases.put_database(tx, other, "app", 1)
        databases.mark_database_deleted(tx, other, "app", 2)
        assert databases.list_databases(tx, cluster_id) == [Database("app", 1)]


def test_users_round_trip(store: Store, cluster_id: UUID, user: User) -> None:
    owner = User("doadmin", Role.PRIMARY, "secret", "verifier", 1, allow_replication=True)
    with store.write() as tx:
        users.put_user(tx, cluster_id, user)
        users.put_user(tx, cluster_id, owner)
    with store.read() as tx:
        assert users.list_users(tx, cluster_id) == [user, owner]
        assert users.find_user(tx, cluster_id, "doadmin") == owner
        assert users.find_user(tx, cluster_id, "nobody") is None


def test_user_secrets_are_not_in_the_row(store: Store, cluster_id: UUID, user: User) -> None:
    with store.write() as tx:
        users.put_user(tx, cluster_id, user)
        row = str(tx.connection.exec_driver_sql("SELECT * FROM users").one())
    assert user.password not in row
    assert user.verifier not in row


def test_a_user_put_again_is_changed_in_place(store: Store, cluster_id: UUID, user: User) -> None:
    other = replace(user, name="other")
    changed = replace(user, password="new", verifier="v2", generation=5, allow_replication=True)
    with store.write() as tx:
        users.put_user(tx, cluster_id, user)
        users.put_user(tx, cluster_id, other)
        users.put_user(tx, cluster_id, changed)
        assert users.list_users(tx, cluster_id) == [changed, other]


def test_a_deleted_user_stays_as_a_tombstone(store: Store, cluster_id: UUID, user: User) -> None:
    with store.write() as tx:
        users.put_user(tx, cluster_id, user)
        users.mark_user_deleted(tx, cluster_id, user.name, 2)
        assert users.list_users(tx, cluster_id) == []
        assert users.find_user(tx, cluster_id, user.name) is None
        assert _all_users(tx, cluster_id) == (replace(user, generation=2, deleted=True),)
        with pytest.raises(NotFound):
            users.mark_user_deleted(tx, cluster_id, user.name, 3)


def test_a_user_wanted_again_lifts_its_tombstone(
    store: Store, cluster_id: UUID, user: User
) -> None:
    again = replace(user, password="another", generation=3)
    with store.write() as tx:
        users.put_user(tx, cluster_id, user)
        users.mark_user_deleted(tx, cluster_id, user.name, 2)
        users.put_user(tx, cluster_id, again)
        assert _all_users(tx, cluster_id) == (again,)


def test_a_forgotten_user_is_no_order_to_drop(store: Store, cluster_id: UUID, user: User) -> None:
    with store.write() as tx:
        users.put_user(tx, cluster_id, user)
        users.forget_user(tx, cluster_id, user.name)
        assert _all_users(tx, cluster_id) == ()


def _all_databases(tx: Transaction, cluster_id: UUID) -> tuple[Database, ...]:
    desired = read_desired(tx, cluster_id)
    assert desired is not None
    return desired.databases


def _all_users(tx: Transaction, cluster_id: UUID) -> tuple[User, ...]:
    desired = read_desired(tx, cluster_id)
    assert desired is not None
    return desired.users
