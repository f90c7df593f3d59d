"""A cluster whose control plane is killed over and over, and what must hold after each time."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from poolkeeper import settings
from poolkeeper.control_plane import wiring
from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.entries import plan_entries
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.reconcile import postgres
from poolkeeper.reconcile.pooler_files import PoolerFiles
from poolkeeper.store import clusters
from tests.e2e.inside import Inside
from tests.e2e.service import Service
from tests.killed import MortalPlane, Step
from tests.plane import Plane, create_cluster, wait_until

_HALF_WRITTEN = re.compile(r"\..+\.new|data\.new|initdb\.password")


class Mortal:
    """One cluster behind a control plane that lives again after each death."""

    def __init__(self, plane: MortalPlane, name: str = "mortal") -> None:
        self.plane = plane
        self.client = plane.client()
        self.service = Service(self.client, create_cluster(self.client, name))
        self.inside = Inside(plane, self.service.id)
        self.pids = self.list_pids()
        self._watched: list[Callable[[], list[str]]] = []

    def watch(self, errors: Callable[[], list[str]]) -> None:
        """Clients whose errors are looked for after each death."""
        self._watched.append(errors)

    def call_until_death(
        self, step: Step, call: Callable[[], httpx.Response]
    ) -> httpx.Response | None:
        """Make the call while the control plane dies at the step; the answer, if there was one."""
        self.plane.arm(step)
        answer = None
        with contextlib.suppress(httpx.TransportError):
            answer = call()
        self.plane.await_death(step)
        return answer

    def be_alive(self) -> None:
        """After a test that failed, others have a chance."""
        assert self.plane.process is not None
        if self.plane.process.poll() is not None:
            self.live_again()

    def live_again(self) -> None:
        """Start the control plane anew and wait until everything is as it is wanted."""
        self.client.close()
        self.plane.start("--empty")
        self.client = self.service.api = self.plane.client()
        await_converged(self.client, self.service.id)

    def accept_restarts(self, servers: Sequence[str]) -> None:
        """These may be others now; one of each must run."""
        now = self.list_pids()
        assert all(len(now[server]) == 1 for server in servers), now
        self.pids = self.pids | {server: now[server] for server in servers}

    def check(self) -> None:
        """What must hold after every death, whatever was asked."""
        pids = self.list_pids()
        assert pids == self.pids, f"{pids} run instead of {self.pids}"
        await_served(self)
        check_files(self.plane, self.service.id)
        for errors in self._watched:
            assert not errors(), f"a client was cut: {errors()}"

    def close(self) -> None:
        self.client.close()

    def list_pids(self) -> dict[str, list[int]]:
        return list_server_pids(self.plane, self.service.id)


@contextlib.contextmanager
def running_mortal(**settings: object) -> Iterator[Mortal]:
    """A control plane with one cluster; all logs are shown when the test fails inside."""
    plane = MortalPlane(**settings)
    try:
        plane.start("--empty")
        with contextlib.closing(Mortal(plane)) as mortal:
            yield mortal
    except BaseException:
        print(plane.logs())
        raise
    finally:
        plane.destroy()


def ask_for_cluster(client: httpx.Client, name: str, **more: object) -> httpx.Response:
    """POST a cluster of 1 GiB."""
    body = {
        "name": name,
        "engine": "pg",
        "num_nodes": 1,
        "size": "db-s-1vcpu-1gb",
        "region": "nyc1",
    }
    return client.post("/v2/databases", json={**body, **more})


def await_converged(client: httpx.Client, cluster_id: str, timeout: float = 180) -> dict[str, Any]:
    """Wait until this control plane itself has looked and found all in force; the standing."""

    def find() -> dict[str, Any] | None:
        standing: dict[str, Any] = client.get(f"/v1/clusters/{cluster_id}").json()["cluster"]
        told.append(standing)
        converged = (
            standing["phase"] == "active"
            and standing["applied_generation"] == standing["generation"]
            and len(standing["processes"]) == 2
            and all(pool["phase"] in ("active", "draining") for pool in standing["pools"])
        )
        return standing if converged else None

    told: list[dict[str, Any]] = []
    try:
        found: dict[str, Any] = wait_until("the cluster is as it is wanted", find, timeout)
    except AssertionError as error:
        raise AssertionError(f"{error}: {told[-1]}") from None
    return found


def list_server_pids(plane: Plane, cluster_id: str) -> dict[str, list[int]]:
    """The pids of a cluster's PgBouncer, postmaster and initdb, as far as they run."""
    marks = {
        "PgBouncer": f"{cluster_id}/pooler/pgbouncer-1.ini",
        "PostgreSQL": f"{cluster_id}/data\0",
        "initdb": f"--pgdata={plane.home}/clusters/{cluster_id}",
    }
    found = {}
    for name, mark in marks.items():
        pids = plane.list_servers(mark)
        # For a moment after its fork, a backend still looks like its postmaster; by now it may
        # have ended.
        parents = {pid: read_parent(pid) for pid in pids}
        pids = [pid for pid in pids if parents[pid] is not None and parents[pid] not in pids]
        if pids:
            found[name] = pids
    return found


def read_parent(pid: int) -> int | None:
    """The pid of a process's parent; None if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def check_files(plane: Plane, cluster_id: str) -> None:
    """Nothing half-written lies about, and a fresh pass would write nothing."""
    left = [path for path in plane.list_paths() if _HALF_WRITTEN.fullmatch(path.name)]
    assert not left, f"half-written: {left}"
    with open_parts(plane) as parts:
        desired = read_desired(parts, cluster_id)
        cluster = desired.cluster
        paths = ClusterPaths.of(plane.home, cluster.id, cluster.ports)
        entries = plan_entries(desired.pools, None, parts.host.now(), parts.host.drain).entries
        wrote = PoolerFiles(parts.host, paths).write(desired, entries)
        assert not wrote, "PgBouncer's files are not what is wanted"
        wrote = postgres._write_configuration(parts.host, desired, paths)
        assert not wrote, "PostgreSQL's files are not what is wanted"


def await_served(mortal: Mortal) -> None:
    """Wait until PgBouncer serves what the API says (deleted pools drain); none is held up."""
    pools = mortal.client.get(f"{mortal.service.address}/pools").json()["pools"] or []
    wanted = {pool["name"]: (pool["db"], pool["mode"], pool["size"], False) for pool in pools}
    with mortal.inside.console() as console:

        def served() -> dict[str, tuple[object, ...]]:
            entries = console.list_entries().values()
            return {e.name: (e.db, e.mode, e.max_connections, e.paused) for e in entries}

        wait_until(f"PgBouncer serves {wanted}, now {served()}", lambda: served() == wanted)


def read_desired(parts: wiring.Parts, cluster_id: str) -> Desired:
    with parts.store.read() as tx:
        desired = clusters.read_desired(tx, UUID(cluster_id))
    assert desired is not None
    return desired


@contextlib.contextmanager
def open_parts(plane: Plane) -> Iterator[wiring.Parts]:
    """The product's own parts on the plane's state; nothing of them is started."""
    parts = wiring.build(settings.load({}, plane.environment).settings)
    try:
        yield parts
    finally:
        parts.store.close()
