"""What a pass that fails leaves behind: the reason, and when the next one is due."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import ClusterRequest, Ports
from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.domain.sizes import parse_size
from poolkeeper.domain.status import ClusterState, Phase
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.reconcile import cluster, teardown
from poolkeeper.reconcile.cluster import ClusterReconciler, choose_pause
from poolkeeper.reconcile.host import Host
from poolkeeper.store import clusters, status
from poolkeeper.store.changes import Changes
from poolkeeper.store.database import Store
from poolkeeper.store.observations import Observations
from poolkeeper.store.sealing import Sealer

ID = UUID(int=1)
PORTS = Ports(25060)


class BadServers:
    """Servers that come as far as one step."""

    def __init__(self, host: Host, paths: ClusterPaths) -> None:
        self.paths = paths

    def are_running(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def list_pids(self) -> frozenset[int]:
        return frozenset()

    def apply(self, *given: Any) -> None:
        progress: Callable[[str], None] = given[-1]
        progress("starting PostgreSQL")
        raise ProcessFailed("the cat is on the keyboard")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """One cluster is wanted in it."""
    store = Store.open(None, tmp_path, now=lambda: datetime.now(UTC), sealer=Sealer(bytes(32)))
    request = ClusterRequest("main", "15", parse_size("db-s-1vcpu-1gb"), "nyc1", 10240)
    with store.write() as tx:
        clusters.insert_cluster(
            tx,
            ID,
            request,
            ports=PORTS,
            superuser_password="",
            console_password="",
            private_network_uuid="",
            project_id="",
        )
    yield store
    store.close()


def test_each_failed_pass_of_a_creation_tells_why(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "Servers", BadServers)
    host = SimpleNamespace(
        store=store, changes=Changes(), observations=Observations(), state_dir=tmp_path
    )
    reconciler = ClusterReconciler(cast(Host, host), ID)
    seen = []
    for _ in range(6):
        reconciler.tick()
        with store.read() as tx:
            state = status.read_cluster_state(tx, ID)
        assert state is not None
        assert state.reason == "the cat is on the keyboard"
        seen.append(state.phase)
    assert seen == [Phase.WAITING] * 3 + [Phase.PARKED] * 3


def test_data_that_cannot_be_removed_is_no_reason_to_stop_servers_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another cluster has its ports by then, and so the folder of its sockets."""
    host = SimpleNamespace(
        store=store,
        changes=Changes(),
        observations=Observations(),
        state_dir=tmp_path,
        keep_data=timedelta(0),
        now=lambda: datetime.now(UTC),
    )

    def refuse(path: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy", str(path))

    with store.write() as tx:
        clusters.mark_cluster_deleted(tx, ID)
        status.write_cluster_state(tx, ClusterState(ID, Phase.DELETED, "", tx.now))
    sockets = ClusterPaths.of(tmp_path, UUID(int=2), PORTS).run
    sockets.mkdir(parents=True)
    monkeypatch.setattr(teardown, "remove_tree", refuse)
    reconciler = ClusterReconciler(cast(Host, host), ID)
    for _ in range(3):
        assert reconciler.tick() == cluster.LONG
    assert sockets.exists()
    monkeypatch.undo()
    assert reconciler.tick() is None


@pytest.mark.parametrize("attempts", [1, 3, 7, 100, 5000])
def test_a_cluster_may_fail_for_weeks(attempts: int) -> None:
    assert 0.4 <= choose_pause(attempts) <= 36
