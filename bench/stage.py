"""Where figures are taken: a control plane of its own with one cluster, gone afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from bench.machine import default_state
from bench.pgbench import make_tables
from poolkeeper.domain.clusters import DEFAULT_DATABASE, DEFAULT_USER, Ports
from poolkeeper.engine.layout import ClusterPaths
from tests.plane import COMMAND, Plane, connect, create_cluster, wait_until

# 4 GiB: max_connections 100, of which pools may hold 97.
SIZE = "db-s-2vcpu-4gb"


@dataclass(frozen=True)
class Stage:
    """One cluster of one control plane, and how to work on it as its owner."""

    plane: Plane
    api: httpx.Client
    cluster: Mapping[str, Any]

    @property
    def direct_uri(self) -> str:
        """PostgreSQL itself, as the primary user, in ``defaultdb``."""
        return str(self.cluster["connection"]["uri"])

    @property
    def paths(self) -> ClusterPaths:
        port = int(self.cluster["connection"]["port"])
        return ClusterPaths.of(self.plane.home, UUID(self.cluster["id"]), Ports(port))

    @property
    def pooler_pid(self) -> int:
        """The process id of the cluster's PgBouncer."""
        return int((self.paths.pooler_run(1) / "pgbouncer.pid").read_text())

    def create_pool(self, name: str, **shape: object) -> str:
        """A pool, by default of one backend on ``defaultdb``; returns its URI."""
        body = {"name": name, **make_shape(**shape)}
        return str(self.ask("POST", "pools", body)["pool"]["connection"]["uri"])

    def get_pool(self, name: str) -> Mapping[str, Any]:
        """A pool as the API shows it."""
        pool: Mapping[str, Any] = self.ask("GET", f"pools/{name}")["pool"]
        return pool

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Call the API below the cluster. Raises RuntimeError with its error."""
        place = f"/v2/databases/{self.cluster['id']}/{path}"
        answer = self.api.request(method, place, json=body)
        if not answer.is_success:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None


def make_shape(**shape: object) -> dict[str, object]:
    """A pool's shape; by default of one backend on ``defaultdb``."""
    default = {"db": DEFAULT_DATABASE, "user": DEFAULT_USER, "mode": "transaction", "size": 1}
    return {**default, **shape}


@contextmanager
def set_up_stage(*, scale: int = 0, **settings: object) -> Iterator[Stage]:
    """A cluster that is online; with pgbench's tables in ``defaultdb`` if ``scale`` is not 0."""
    with _running_plane("--empty", **settings) as plane, plane.client() as api:
        stage = Stage(plane, api, create_cluster(api, "bench", size=SIZE))
        if scale:
            make_tables(stage.direct_uri, scale)
        yield stage


@contextmanager
def first_start() -> Iterator[tuple[Plane, str]]:
    """What ``poolkeeper up`` makes of an empty state, and the URI of its pool."""
    with _running_plane() as plane, plane.client() as api:
        yield plane, wait_until("main-pool is there", lambda: find_main_pool(api), 60)


@contextmanager
def _running_plane(*flags: str, **settings: object) -> Iterator[Plane]:
    """A control plane in a session of its own, as ``up --detach`` and systemd start it."""
    plane = Plane(**settings)
    try:
        yield plane.start(*flags, command=("setsid", *COMMAND))
    except BaseException:
        print(plane.logs())
        raise
    finally:
        plane.destroy()


def find_main_pool(api: httpx.Client) -> str | None:
    """The URI of the first pool of the first cluster, once it is there."""
    for cluster in api.get("/v2/databases").json()["databases"]:
        for pool in api.get(f"/v2/databases/{cluster['id']}/pools").json().get("pools", []):
            return str(pool["connection"]["uri"])
    return None


def bare_plane() -> Plane:
    """A control plane that nobody has started; its state knows where PgBouncer is."""
    plane = Plane()
    plane.home.mkdir(mode=0o711)
    private = default_state() / "pgbouncer"
    if private.exists():
        (plane.home / "pgbouncer").symlink_to(private)
    return plane


def time_query(uri: str) -> float:
    """Seconds for a login and one query, as psycopg does them."""
    started = time.perf_counter()
    with connect(uri) as connection:
        connection.execute("SELECT 1").fetchone()
        return time.perf_counter() - started
