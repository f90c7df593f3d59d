"""The samples of a real cluster: they agree with what PgBouncer and PostgreSQL tell."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.inside import Inside, Watch
from tests.e2e.load import running_load
from tests.e2e.service import Json, Service
from tests.plane import Plane, connect, create_cluster, running_plane, wait_until

BUDGET = 22
# PostgreSQL counts transactions when a backend reports what it did to tables.
# It sleeps, so that a busy machine, too, finds both backends at work.
TOUCH = "SELECT count(*) FROM touched, pg_sleep(0.003)"
_WORK = """
SELECT sum(xact_commit + xact_rollback) FROM pg_catalog.pg_stat_database
 WHERE datname NOT IN ('postgres', 'template0', 'template1')
"""

Values = Sequence[float | None]


@pytest.fixture(scope="module")
def service(api: httpx.Client, cluster: Json) -> Service:
    return Service(api, cluster)


@pytest.fixture(scope="module")
def inside(plane: Plane, service: Service) -> Inside:
    return Inside(plane, service.id)


def read(service: Service, subject: str, span: int = 60) -> dict[str, Values]:
    answer = service.api.get(
        f"/v1/clusters/{service.id}/samples", params={"subject": subject, "span": span}
    )
    assert answer.status_code == 200, answer.text
    values: dict[str, Values] = answer.json()["samples"]["values"]
    return values


def latest(service: Service, subject: str, name: str) -> float | None:
    return read(service, subject, span=1)[name][-1]


def total(values: Values) -> float:
    """The sum of a rate. What follows a gap is the average since the value before it."""
    added, known = 0.0, 0.0
    for value in reversed(values):
        known = known if value is None else value
        added += known
    return added


def test_rates_agree_with_what_was_done(service: Service, inside: Inside) -> None:
    with service.pool("agree", size=2) as uri:
        with connect(uri) as client:
            client.execute("CREATE TABLE touched (n integer)")
        await_quiet(service, "agree")
        wait_until("much was done, and each second counted", lambda: compare(service, inside, uri))
        pool = read(service, "pool:agree")
        assert max(each or 0 for each in pool["backends_active"]) == 2
        assert set(pool["size"]) <= {2.0, None}
        waits = [each for each in pool["wait_seconds"] if each]
        assert 0 < statistics.median(waits) < 1
    cluster = read(service, "cluster")
    assert 0.5 < max(each or 0 for each in cluster["cache_hit_ratio"]) <= 1
    assert max(each or 0 for each in cluster["postgres_cpu_percent"]) > 1
    assert max(each or 0 for each in cluster["pooler_cpu_percent"]) > 1
    for name, least in (("postgres_memory_bytes", 10_000_000), ("database_bytes", 5_000_000)):
        wait_until(name, lambda: (latest(service, "cluster", name) or 0) > least)  # noqa: B023


def await_quiet(service: Service, pool: str) -> None:
    """Wait until the sampler has seen a pool in which nothing is done."""
    wait_until(
        "the pool is at rest", lambda: latest(service, f"pool:{pool}", "xacts_per_second") == 0
    )


def compare(service: Service, inside: Inside, uri: str) -> bool:
    """Have the pool work for five seconds; whether all rates agree with what was done.

    A second that a busy machine makes longer than others still counts as one: then they do not.
    """
    before = time.time()
    with inside.connect() as own:
        work_before = count_work(own)
        with running_load(uri, 6, TOUCH) as load:
            wait_until("much was done", lambda: time.time() > before + 5)
        done = sum(load.turns)
        assert load.errors == []
        await_quiet(service, "agree")
        pool = read(service, "pool:agree", int(time.time() - before) + 2)
        rates = ("xacts_per_second", "queries_per_second", "assignments_per_second")
        sums = {name: total(pool[name]) for name in rates}
        wait_until("PostgreSQL has counted", lambda: count_work(own) - work_before >= done)
        # What it counted in this second is sampled in the next.
        counted_at = time.time()
        wait_until("it is sampled", lambda: time.time() > counted_at + 3)
        counted = count_work(own) - work_before
    # Only since the load began: others' work before it is not in the count.
    since = int(time.time() - before) + 1
    sampled = total(read(service, "cluster", since)["xacts_per_second"])
    print(f"{done} done, {sums}; PostgreSQL counted {counted}, of which were sampled {sampled}")
    agree = all(each == pytest.approx(done, rel=0.05) for each in sums.values())
    return agree and sampled == pytest.approx(counted, rel=0.05)


def count_work(own: psycopg.Connection[tuple[Any, ...]]) -> int:
    """The transactions that PostgreSQL has counted."""
    (work,) = own.execute(_WORK).fetchall()[0]
    return int(work)


def test_connections_are_told_by_where_they_come_from(service: Service) -> None:
    direct = service.api.get(service.address).json()["database"]["connection"]["uri"]
    with service.pool("origin", size=3) as uri, contextlib.ExitStack() as open_:
        clients = [open_.enter_context(connect(uri)) for _ in range(2)]
        for client in clients:
            client.execute("BEGIN")
            client.execute("SELECT 1")
        open_.enter_context(connect(direct))
        expected = {"connections_pooled": 2, "connections_direct": 1}
        expected |= {"connections_idle_in_transaction": 2}

        def see() -> dict[str, float | None] | None:
            found = {name: values[-1] for name, values in read(service, "cluster", 1).items()}
            return found if expected.items() <= found.items() else None

        seen = wait_until("both origins are seen", see)
        assert seen["connections_max"] == BUDGET + 3
        assert seen["connections_reserved"] == 3
        assert seen["connections_free"] == BUDGET - 3
        assert seen["connections_own"] == 0
        assert seen["longest_xact_seconds"] > 0


def test_the_sampler_takes_none_of_the_pools_connections(service: Service, inside: Inside) -> None:
    """The whole budget is in use, and still every second is sampled."""
    sizes = {"ant": 11, "bee": 10, "cat": 1}
    with contextlib.ExitStack() as open_, Watch(inside) as watch:
        for name, size in sizes.items():
            uri = open_.enter_context(service.pool(name, size=size))
            for _ in range(size):
                client = open_.enter_context(connect(uri))
                client.execute("BEGIN")
                client.execute("SELECT 1")
        wait_until("all of them are open", lambda: watch.count() == BUDGET)
        wait_until(
            "all of them are seen",
            lambda: latest(service, "cluster", "connections_pooled") == BUDGET,
        )
        wait_until(
            "and again, second after second",
            lambda: list(read(service, "cluster", 4)["connections_pooled"])[-4:] == [BUDGET] * 4,
        )
        wait_until("none is free", lambda: latest(service, "cluster", "connections_free") == 0)
        wait_until("its own are seen", lambda: latest(service, "pool:ant", "backends_active") == 11)


def test_a_pooler_that_hangs_holds_up_nothing_else(
    api: httpx.Client, service: Service, inside: Inside
) -> None:
    other = Service(api, create_cluster(api, "beside"))
    try:
        with service.pool("hangs", size=1), other.pool("beside", size=1):
            wait_until(
                "both are sampled",
                lambda: (
                    latest(service, "pool:hangs", "clients_active") == 0
                    and latest(other, "pool:beside", "clients_active") == 0
                ),
            )
            pid = inside.read_pooler_pid()
            os.kill(pid, signal.SIGSTOP)
            try:
                wait_until(
                    "the pool has a gap of three seconds",
                    lambda: read(service, "pool:hangs", 3)["clients_active"][-3:] == [None] * 3,
                )
                wait_until(
                    "what is beside it has none",
                    lambda: (
                        None not in read(other, "pool:beside", 3)["clients_active"]
                        and None not in read(service, "cluster", 3)["connections_pooled"]
                    ),
                )
            finally:
                os.kill(pid, signal.SIGCONT)
            wait_until(
                "the pool is sampled again",
                lambda: latest(service, "pool:hangs", "clients_active") == 0,
            )
    finally:
        api.delete(f"/v2/databases/{other.id}")


def test_a_pooler_that_starts_anew_makes_no_rates_up(service: Service, inside: Inside) -> None:
    with service.pool("anew", size=2) as uri:
        with running_load(uri, 2, "SELECT 1"):
            pass
        os.kill(inside.read_pooler_pid(), signal.SIGKILL)

        def works() -> bool:
            with contextlib.suppress(Exception), connect(uri, connect_timeout=2) as client:
                return client.execute("SELECT 1").fetchone() == (1,)
            return False

        wait_until("it works again", works)
        wait_until(
            "it is sampled again", lambda: latest(service, "pool:anew", "xacts_per_second") == 0
        )
        rates = read(service, "pool:anew", 30)["xacts_per_second"]
        assert all(each is None or 0 <= each < 100_000 for each in rates)


@pytest.fixture
def own() -> Iterator[Plane]:
    with running_plane("--empty", drain_seconds=2) as plane:
        yield plane


def test_history_survives_the_control_plane_and_its_file_is_no_condition(own: Plane) -> None:
    with own.client() as client:
        service = Service(client, create_cluster(client, "stays"))
        wait_until(
            "three seconds are sampled",
            lambda: total(read(service, "cluster", 10)["connections_max"]) >= 3 * 25,
        )
        own.stop()
        own.start()
        seen = read(service, "cluster", 60)["connections_max"]
        assert total(seen) >= 3 * 25
        own.stop()
        samples = own.home / "samples.db"
        assert samples.stat().st_mode & 0o777 == 0o600
        with contextlib.closing(sqlite3.connect(samples)) as connection:
            assert connection.execute("SELECT count(*) FROM blocks").fetchone()[0] > 0
        samples.write_bytes(b"no database" * 1000)
        own.start()
        wait_until(
            "it samples all the same",
            lambda: latest(service, "cluster", "connections_max") == 25,
        )
        own.stop()
        assert samples.with_name("samples.db.damaged").exists()
        assert "samples_damaged" in (own.home / "logs" / "control-plane.log").read_text()
