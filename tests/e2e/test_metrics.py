"""`/metrics` of a real control plane, scraped as Prometheus does it."""

from __future__ import annotations

import functools
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import psycopg
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.inside import Inside
from tests.e2e.service import Json, Service
from tests.plane import Plane, connect, wait_until

COUNTS = ("clients_active", "clients_waiting", "backends_active", "backends_idle")


class Scraper:
    """Reads the address that a cluster names, with the credentials that the API tells."""

    def __init__(self, plane: Plane, api: httpx.Client, cluster: Json) -> None:
        [place] = api.get(f"/v2/databases/{cluster['id']}").json()["database"]["metrics_endpoints"]
        found = api.get("/v2/databases/metrics/credentials").json()["credentials"]
        self._address = f"https://{place['host']}:{place['port']}/metrics"
        self._auth = (found["basic_auth_username"], found["basic_auth_password"])
        self._trust = ssl.create_default_context(cafile=str(plane.ca))
        self._cluster = str(cluster["name"])

    def read(self, **labels: str) -> dict[str, float]:
        """The cluster's figures with these labels and no others, by name."""
        answer = httpx.get(self._address, auth=self._auth, verify=self._trust, timeout=60)
        assert answer.status_code == 200, answer.text
        return {
            sample.name.removeprefix("poolkeeper_"): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.labels == {"cluster": self._cluster, **labels}
        }


@contextmanager
def crowd(uri: str, working: int, waiting: int) -> Iterator[None]:
    """So many clients in the middle of a transaction, and so many in the queue behind them."""

    def wait() -> None:
        with connect(uri) as client:
            client.execute("SELECT 1")

    threads = [threading.Thread(target=wait) for _ in range(waiting)]
    with ExitStack() as stack:
        clients: list[psycopg.Connection[tuple[object, ...]]] = []
        for _ in range(working):
            client = stack.enter_context(connect(uri, autocommit=False))
            client.execute("SELECT 1")
            clients.append(client)
        try:
            for thread in threads:
                thread.start()
            yield
        finally:
            for client in clients:
                client.rollback()
            for thread in threads:
                thread.join()


def test_figures_are_those_of_the_pooler(plane: Plane, api: httpx.Client, cluster: Json) -> None:
    service, inside = Service(api, cluster), Inside(plane, str(cluster["id"]))
    scraper = Scraper(plane, api, cluster)
    with service.pool("measured", size=3) as uri, inside.console() as console:
        with crowd(uri, working=3, waiting=4):
            expected = {"pool_clients_active": 3, "pool_clients_waiting": 4}
            expected |= {"pool_backends_active": 3, "pool_backends_idle": 0}
            told = wait_until(
                "the figures tell of the crowd",
                lambda: (
                    expected.items() <= (found := scraper.read(pool="measured")).items() and found
                ),
            )
            shown = console.list_loads()["measured"]
            assert {name: told[f"pool_{name}"] for name in COUNTS} == {
                name: getattr(shown, name) for name in COUNTS
            }
            assert 0 < told["pool_max_wait_seconds"] <= shown.maxwait_seconds
            assert told["pool_size_connections"] == told["pool_held_connections"] == 3
            assert told["pool_in_force"] == 1
        wait_until(
            "nobody waits any more",
            lambda: scraper.read(pool="measured").get("pool_clients_waiting") == 0,
        )
    wait_until("a deleted pool is not told of", lambda: not scraper.read(pool="measured"))


def test_the_cluster_and_its_servers(plane: Plane, api: httpx.Client, cluster: Json) -> None:
    scraper = Scraper(plane, api, cluster)
    told = scraper.read()
    assert (told["cluster_up"], told["cluster_pending_changes"]) == (1, 0)
    assert told["cluster_budget_connections"] == 22
    assert scraper.read(phase="active") == {"cluster_phase": 1}
    for server in ("postgres", "pgbouncer"):
        # A cluster that has just come online is looked at in a moment.
        found = wait_until("it runs", functools.partial(scraper.read, server=server, index="1"))
        assert time.time() - 3600 < found["server_start_time_seconds"] < time.time()
