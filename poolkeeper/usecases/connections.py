"""How clients reach clusters and pools: the ``connection`` objects of the API."""

from __future__ import annotations

from uuid import UUID

from poolkeeper.domain.clusters import DEFAULT_DATABASE, DEFAULT_USER, Cluster
from poolkeeper.domain.connections import Connection
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.users import User
from poolkeeper.store import users
from poolkeeper.usecases.clusters import ClusterView
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import require_cluster


def cluster_connection(context: Context, view: ClusterView) -> Connection:
    """The direct connection, always as ``doadmin``."""
    owner = next(user for user in view.users if user.name == DEFAULT_USER)
    port = view.cluster.ports.direct
    return Connection(context.public_host, port, DEFAULT_DATABASE, owner.name, owner.password)


def pool_connection(context: Context, view: ClusterView, pool: Pool) -> Connection:
    """A pool's connection; the pool's name stands for the database."""
    user = next((user for user in view.users if user.name == pool.shape.user), None)
    return _compose(context, view.cluster, pool, user)


def read_pool_connection(context: Context, cluster_id: UUID, pool: Pool) -> Connection:
    """The same without reading the rest of the cluster. Raises NotFound."""
    with context.store.read() as tx:
        cluster = require_cluster(tx, cluster_id)
        name = pool.shape.user
        user = None if name is None else users.find_user(tx, cluster_id, name)
    return _compose(context, cluster, pool, user)


def _compose(context: Context, cluster: Cluster, pool: Pool, user: User | None) -> Connection:
    name, password = (user.name, user.password) if user else ("", "")
    return Connection(context.public_host, cluster.ports.pool, pool.name, name, password)
