"""How clients reach clusters and pools: the ``connection`` objects of the API."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from poolkeeper.domain.clusters import DEFAULT_DATABASE, DEFAULT_USER, Cluster
from poolkeeper.domain.connections import Connection
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.users import ShownUser, User
from poolkeeper.store import users
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import require_cluster
from poolkeeper.usecases.views import ClusterView


def cluster_connection(context: Context, view: ClusterView) -> Connection:
    """The direct connection, always as ``doadmin``."""
    owner = next(user for user in view.users if user.name == DEFAULT_USER)
    port = view.cluster.ports.direct
    return Connection(context.public_host, port, DEFAULT_DATABASE, owner.name, owner.password)


def read_pool_connections(
    context: Context, cluster_id: UUID, pools: Sequence[Pool], *, reveal: bool
) -> list[Connection]:
    """The connections of pools of one cluster, in their order; a pool's name stands for the
    database. Without ``reveal`` passwords are empty. Raises NotFound."""
    with context.store.read() as tx:
        cluster = require_cluster(tx, cluster_id)
        shown = users.list_shown_users(tx, [cluster_id], reveal=reveal)[cluster_id]
    by_name: dict[str | None, ShownUser] = {user.name: user for user in shown}
    return [_compose(context, cluster, pool, by_name.get(pool.shape.user)) for pool in pools]


def read_pool_connection(context: Context, cluster_id: UUID, pool: Pool) -> Connection:
    """The same of one pool. Raises NotFound."""
    with context.store.read() as tx:
        cluster = require_cluster(tx, cluster_id)
        name = pool.shape.user
        user = None if name is None else users.find_user(tx, cluster_id, name)
    return _compose(context, cluster, pool, user)


def _compose(
    context: Context, cluster: Cluster, pool: Pool, user: User | ShownUser | None
) -> Connection:
    name, password = (user.name, user.password) if user else ("", "")
    return Connection(context.public_host, cluster.ports.pool, pool.name, name, password)
