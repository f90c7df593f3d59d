"""The API's front over a store of many clusters, as a process: ``python -m bench.full_store``; with
``--panel`` the control panel, too, with one cluster more, of 1,000 pools, and samples for its
charts: of 15 minutes, of the first ten clusters 30 days.

Everything is as in ``poolkeeper up``, but that there are no rate limits, and that the reconciler is
not started: no cluster has servers, and all of them stand as the reconciler would leave them.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from uuid import UUID

from starlette.types import ASGIApp

from bench.machine import find_pgbouncer
from bench.month import write_month
from poolkeeper.api.app import build_app
from poolkeeper.control_plane import http_server, wiring
from poolkeeper.control_plane.first_start import ensure_local_token
from poolkeeper.control_plane.front_door import FrontDoor
from poolkeeper.control_plane.logs import configure_logs
from poolkeeper.domain.clusters import DEFAULT_DATABASE, DEFAULT_USER, ClusterRequest, Ports
from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.samples import HOST, STORED, Kind, Sample, Subject
from poolkeeper.domain.sizes import DEFAULT_SIZE, parse_size
from poolkeeper.domain.status import ClusterState, Phase, PoolLoad, PoolState
from poolkeeper.domain.users import Role, User
from poolkeeper.metrics.history import History
from poolkeeper.panel.app import build_panel
from poolkeeper.settings import load
from poolkeeper.store import clusters, databases, pools, status, users
from poolkeeper.store.database import Transaction
from poolkeeper.store.observations import Observations

POOLS = 10
CROWD = 1000
# Of so many clusters there is a month of samples.
MONTHS = 10
USERS = (DEFAULT_USER, "app", "reports")
DATABASES = (DEFAULT_DATABASE, "app", "reports")

_HISTORY = 900
_HOST_VALUES, _CLUSTER_VALUES, _POOL_VALUES = (
    [value.name for value in STORED[kind]] for kind in (Kind.HOST, Kind.CLUSTER, Kind.POOL)
)

_FIRST_PORT = 30000
_PASSWORD = "0123456789abcdefghijklmn"
_VERIFIER = f"SCRAM-SHA-256$4096:{'A' * 24}${'B' * 44}:{'C' * 44}"


def make_id(number: int) -> UUID:
    """The id of a cluster, from its number."""
    return UUID(int=number + 1, version=4)


def main() -> None:
    """Fill the store of a state folder and serve it until SIGTERM."""
    state, port, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    flags = {
        "state_dir": str(state),
        "api_port": port,
        "pgbouncer": str(find_pgbouncer().path),
    }
    settings = load(flags, {}).settings
    wiring.prepare_state(settings)
    configure_logs(state / "logs", settings.log_level)
    parts = wiring.build(settings)
    with_panel = "--panel" in sys.argv
    sizes = [POOLS] * count + ([CROWD] if with_panel else [])
    with parts.store.write() as tx:
        for number, size in enumerate(sizes):
            _add_cluster(tx, number, size)
    for number, size in enumerate(sizes):
        _observe(parts.context.observations, number, size)
    app: ASGIApp = build_app(parts.context, started_at=wiring.now())
    if with_panel:
        write_month(state / "samples.db", _list_subjects(min(count, MONTHS)), int(time.time()))
        _record(parts.history, count)
        app = FrontDoor(
            build_app(parts.context, started_at=wiring.now()), build_panel(parts.context)
        )
    server = http_server.prepare(parts, app)
    ensure_local_token(parts.context, state / "token")
    server.run()


def _add_cluster(tx: Transaction, number: int, size: int) -> None:
    request = ClusterRequest(
        f"cluster-{number:04}", "15", parse_size(DEFAULT_SIZE), "nyc1", 10240, tags=("bench",)
    )
    cluster = clusters.insert_cluster(
        tx,
        make_id(number),
        request,
        ports=Ports(_FIRST_PORT + 2 * number),
        superuser_password=_PASSWORD,
        console_password=_PASSWORD,
        private_network_uuid=str(make_id(number)),
        project_id=str(make_id(number)),
    )
    for name in USERS:
        role = Role.PRIMARY if name == DEFAULT_USER else Role.NORMAL
        users.put_user(tx, cluster.id, User(name, role, _PASSWORD, _VERIFIER, generation=1))
    for name in DATABASES:
        databases.put_database(tx, cluster.id, name, generation=1)
    for name in _name_pools(size):
        shape = PoolShape(DEFAULT_DATABASE, "app", PoolMode.TRANSACTION, 2)
        pool = pools.insert_pool(tx, cluster.id, name, shape, generation=1)
        status.write_pool_state(tx, PoolState(pool.id, Phase.ACTIVE, "", tx.now, 1, held=2))
    state = ClusterState(
        cluster.id, Phase.ACTIVE, "", tx.now, applied_generation=1, was_online=True
    )
    status.write_cluster_state(tx, state)


def _observe(observations: Observations, number: int, size: int) -> None:
    observations.put_loads(
        make_id(number), {name: PoolLoad(3, 0, 1, 1, 0.0) for name in _name_pools(size)}
    )


def _list_subjects(clusters: int) -> list[Subject]:
    """All that is sampled of the first so many clusters."""
    found = [HOST]
    for cluster_id in map(make_id, range(clusters)):
        found.append(Subject(Kind.CLUSTER, cluster_id))
        found += [Subject(Kind.POOL, cluster_id, name) for name in _name_pools()]
    return found


def _record(history: History, count: int) -> None:
    """As the sampler would have found it, second by second."""
    now = int(time.time())
    for second in range(now - _HISTORY, now):
        load = 5.0 + second % 7
        pools = {name: dict.fromkeys(_POOL_VALUES, load) for name in _name_pools()}
        sample = Sample(second, dict.fromkeys(_CLUSTER_VALUES, load), pools)
        host = dict.fromkeys(_HOST_VALUES, load)
        history.put(second, host, {make_id(number): sample for number in range(count)})
    history.flush()


def _name_pools(size: int = POOLS) -> list[str]:
    return [f"pool-{number}" for number in range(size)]


if __name__ == "__main__":
    main()
