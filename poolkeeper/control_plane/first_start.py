"""What an empty state gets: a token, a first cluster, and a pool to connect to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from poolkeeper.domain.clusters import (
    DEFAULT_DATABASE,
    DEFAULT_USER,
    ENGINE,
    Cluster,
    parse_cluster_request,
)
from poolkeeper.domain.errors import NotReady, Unauthenticated
from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.sizes import DEFAULT_SIZE
from poolkeeper.domain.status import Phase
from poolkeeper.domain.tokens import ADMIN
from poolkeeper.engine.files import write_if_changed
from poolkeeper.store import clusters, events, status
from poolkeeper.usecases.clusters import (
    create_cluster,
    list_clusters,
)
from poolkeeper.usecases.connections import cluster_connection, read_pool_connection
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.pools import create_pool, list_pools
from poolkeeper.usecases.tokens import authenticate, create_token
from poolkeeper.usecases.views import ClusterView

CLUSTER = "main"
POOL = "main-pool"
_POOL_SIZE = 10
_REGION = "nyc1"
_CREATION_TIMEOUT = 180.0
_PASS_TIMEOUT = 10.0
_LONGEST_SLEEP = 0.25

_OWNER = "local"


@dataclass(frozen=True)
class FirstCluster:
    """How to use the cluster that stands ready; ``psql`` is one line to paste."""

    name: str
    pool_uri: str
    direct_uri: str
    psql: str


def ensure_local_token(context: Context, path: Path) -> None:
    """Make sure that the file holds a valid admin token: the CLI of this machine uses it."""
    try:
        authenticate(context, path.read_text().strip())
    except (OSError, Unauthenticated):
        _, value = create_token(context, _OWNER, _OWNER, [ADMIN])
        write_if_changed(path, value + "\n", owner=None, fsync=True)


def await_first_passes(context: Context) -> None:
    """Return once each cluster had a pass, or after a while: one in trouble holds up nobody."""
    with context.store.read() as tx:
        waiting = clusters.list_cluster_ids(tx)
    deadline = time.monotonic() + _PASS_TIMEOUT
    for cluster_id in waiting:
        while context.changes.version(cluster_id) == 0 and time.monotonic() < deadline:
            context.changes.wait_beyond(cluster_id, 0, _LONGEST_SLEEP)


def complete_first_start(context: Context, marker: Path, *, empty: bool) -> FirstCluster | None:
    """Create the first cluster and pool in an empty state; go on where a start was killed.

    Returns how to use that cluster while it has its pool, None otherwise. Raises
    PoolkeeperError.
    """
    with context.store.read() as tx:
        # Whoever has deleted all clusters does not want another by the next start.
        untouched = not clusters.list_cluster_ids(tx) and not events.list_event_clusters(tx)
    if untouched and empty:
        marker.unlink(missing_ok=True)
    elif untouched:
        marker.touch(mode=0o600)
    if marker.exists():
        _create_missing(context)
        marker.unlink(missing_ok=True)
    return _describe(context)


def _create_missing(context: Context) -> None:
    view = _find(context)
    if view is None:
        request = parse_cluster_request(
            name=CLUSTER,
            engine=ENGINE,
            version=None,
            size=DEFAULT_SIZE,
            region=_REGION,
            num_nodes=1,
            majors=context.majors(),
        )
        view = create_cluster(context, _OWNER, uuid4(), request)
    _await_creation(context, view.cluster)
    if not any(pool.name == POOL for pool in list_pools(context, view.cluster.id)):
        shape = PoolShape(DEFAULT_DATABASE, DEFAULT_USER, PoolMode.TRANSACTION, _POOL_SIZE)
        create_pool(context, _OWNER, view.cluster.id, POOL, shape)


def _await_creation(context: Context, cluster: Cluster) -> None:
    """Wait for the cluster; a failure that will not pass by itself ends the wait."""
    deadline = time.monotonic() + _CREATION_TIMEOUT
    while True:
        seen = context.changes.version(cluster.id)
        with context.store.read() as tx:
            state = status.read_cluster_state(tx, cluster.id)
        if state is not None and state.was_online:
            return
        if (state is not None and state.phase is Phase.PARKED) or time.monotonic() > deadline:
            reason = state.reason if state else "nothing has begun"
            raise NotReady(f"cluster {cluster.name!r} could not be created: {reason}")
        context.changes.wait_beyond(cluster.id, seen, _LONGEST_SLEEP)


def _describe(context: Context) -> FirstCluster | None:
    view = _find(context)
    if view is None:
        return None
    pools = list_pools(context, view.cluster.id)
    pool = next((pool for pool in pools if pool.name == POOL), None)
    if pool is None:
        return None
    uri = read_pool_connection(context, view.cluster.id, pool).uri
    return FirstCluster(
        view.cluster.name, uri, cluster_connection(context, view).uri, f"psql '{uri}'"
    )


def _find(context: Context) -> ClusterView | None:
    return next((view for view in list_clusters(context) if view.cluster.name == CLUSTER), None)
