"""Settings that were changed through the API, as PostgreSQL and PgBouncer have them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from poolkeeper.domain.config_options import OPTIONS
from poolkeeper.domain.config_postgres import POSTGRES
from tests.e2e.inside import Inside, Watch
from tests.e2e.load import running_load
from tests.e2e.service import Json, Service, log_in_as
from tests.plane import Plane, connect, create_cluster, running_plane, wait_until

# In the units of the API. A real number may be all but the same.
ASK = """
SELECT setting, unit, pending_restart FROM pg_catalog.pg_settings WHERE lower(name) = '{}'
"""

BYTES = {None: 1, "B": 1, "kB": 1024, "8kB": 8192, "MB": 2**20}

# Values that are none of the defaults, and take no restart.
LIVE: dict[str, Any] = {
    "autovacuum_naptime": 30,
    "autovacuum_vacuum_threshold": 40,
    "autovacuum_analyze_threshold": 41,
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_analyze_scale_factor": 0.02,
    "autovacuum_vacuum_cost_delay": 1,
    "autovacuum_vacuum_cost_limit": 300,
    "bgwriter_delay": 100,
    "bgwriter_flush_after": 1024,
    "bgwriter_lru_maxpages": 200,
    "bgwriter_lru_multiplier": 3.5,
    "wal_writer_delay": 100,
    "deadlock_timeout": 2000,
    "idle_in_transaction_session_timeout": 60_000,
    "default_toast_compression": "lz4",
    "jit": False,
    "timezone": "Europe/Berlin",
    "max_stack_depth": 4_194_304,
    "temp_file_limit": 1_048_576,
    "work_mem": 16,
    "max_parallel_workers": 6,
    "max_parallel_workers_per_gather": 3,
    "max_standby_archive_delay": 40_000,
    "max_standby_streaming_delay": 50_000,
    "wal_sender_timeout": 30_000,
    "max_slot_wal_keep_size": 4096,
    "log_autovacuum_min_duration": 1000,
    "log_error_verbosity": "VERBOSE",
    "log_line_prefix": "%m [%p] %q[user=%u,db=%d,app=%a]",
    "log_min_duration_statement": 250,
    "pg_stat_statements.track": "all",
    "track_functions": "pl",
    "track_io_timing": "off",
}

RESTART: dict[str, Any] = {
    "autovacuum_freeze_max_age": 300_000_000,
    "autovacuum_max_workers": 5,
    "max_files_per_process": 1200,
    "shared_buffers_percentage": 30,
    "max_prepared_transactions": 10,
    "max_pred_locks_per_transaction": 128,
    "max_locks_per_transaction": 128,
    "max_worker_processes": 12,
    "max_replication_slots": 16,
    "max_logical_replication_workers": 6,
    "max_wal_senders": 30,
    "track_commit_timestamp": "on",
    "track_activity_query_size": 2048,
}


@pytest.fixture(scope="module")
def service(api: httpx.Client, cluster: Json) -> Service:
    return Service(api, cluster)


@pytest.fixture(scope="module")
def inside(plane: Plane, service: Service) -> Inside:
    return Inside(plane, service.id)


@pytest.fixture(autouse=True)
def everything_unset(service: Service) -> Iterator[None]:
    yield
    patch(service, {name: None for name in OPTIONS if "." not in name})
    patch(service, {"pgbouncer": None, "timescaledb": None})
    patch(service, {name: None for name in OPTIONS if name.startswith("pg_")})


def read(service: Service) -> dict[str, Any]:
    answer = service.api.get(f"{service.address}/config")
    assert answer.status_code == 200, answer.text
    config: dict[str, Any] = answer.json()["config"]
    return config


def try_patch(service: Service, config: Json) -> httpx.Response:
    return service.api.patch(f"{service.address}/config", json={"config": config})


def patch(service: Service, config: Json) -> None:
    answer = try_patch(service, config)
    assert (answer.status_code, answer.content) == (200, b""), answer.text


def look_up(inside: Inside, name: str) -> tuple[Any, bool]:
    """A setting of PostgreSQL in the API's type and unit, and whether it waits for a restart."""
    option = OPTIONS[name]
    with contextlib.closing(inside.connect()) as connection:
        query = ASK.format((option.setting or name).lower())
        [(text, unit, pending)] = connection.execute(query.encode()).fetchall()
    return convert(name, text, unit), pending


def convert(name: str, text: str, unit: str | None) -> Any:
    if name == "jit":
        return text == "on"
    if name == "log_error_verbosity":
        return text.upper()
    if name == "log_line_prefix":
        return text.rstrip()
    if not text.lstrip("-").replace(".", "").replace("e-", "").isdigit():
        return text
    number = float(text)
    if number < 0 or unit in ("ms", "s"):
        return number
    size = {"work_mem": "MB", "max_slot_wal_keep_size": "MB"}.get(name)
    size = size or {"temp_file_limit": "kB", "bgwriter_flush_after": "kB"}.get(name)
    return number * BYTES[unit] / BYTES[size]


def compare_all(service: Service, inside: Inside) -> set[str]:
    """Holds what the API tells against what the servers say; returns what waits for a restart."""
    config, waiting = read(service), set()
    shared_buffers, is_waiting = look_up(inside, "shared_buffers_percentage")
    if is_waiting:
        waiting.add("shared_buffers_percentage")
    else:
        # Of the size's GiB: this machine has more.
        assert shared_buffers == int(1024 * config["shared_buffers_percentage"] / 100) * 2**20
    for option in POSTGRES:
        if option.name != "shared_buffers_percentage":
            running, is_waiting = look_up(inside, option.name)
            if is_waiting:
                waiting.add(option.name)
            else:
                assert running == pytest.approx(config[option.name]), option.name
    with contextlib.closing(inside.connect()) as connection:
        [(most,)] = connection.execute("SHOW max_connections").fetchall()
    assert config["max_connections"] == int(most)
    compare_pooler(inside, config["pgbouncer"])
    return waiting


def compare_pooler(inside: Inside, config: Json) -> None:
    with inside.console() as console:
        running = console.read_settings()
    assert (
        running["ignore_startup_parameters"].replace(" ", "").split(",")
        == (config["ignore_startup_parameters"])
    )
    assert int(running["server_reset_query_always"]) == config["server_reset_query_always"]
    for name in ("min_pool_size", "server_lifetime", "server_idle_timeout"):
        assert int(running[name]) == config[name], name
    # No entry matches any name, so that no automatic pool can come into being.
    assert config["autodb_pool_size"] == 0
    assert "*" not in inside.read_caps()


def test_defaults_are_what_the_servers_run_with(service: Service, inside: Inside) -> None:
    assert compare_all(service, inside) == set()


def test_every_setting_is_among_these() -> None:
    live, restart = (
        {o.name for o in POSTGRES if o.restart is is_restart} for is_restart in (False, True)
    )
    assert LIVE.keys() == live
    assert RESTART.keys() == restart


def test_live_settings_change_at_once_and_cut_nobody(service: Service, inside: Inside) -> None:
    pid = inside.read_pid()
    with service.pool("busy", size=4) as uri, running_load(uri, 12) as load:
        for config in (LIVE, dict.fromkeys(LIVE), LIVE):
            patch(service, config)
            assert compare_all(service, inside) == set()
            load.await_turns()
    assert load.errors == []
    assert inside.read_pid() == pid
    assert {name: read(service)[name] for name in LIVE} == LIVE
    assert not service.read_cluster()["reason"]


def test_what_takes_a_restart_waits_for_it(service: Service, inside: Inside) -> None:
    before = {name: look_up(inside, name)[0] for name in RESTART}
    patch(service, RESTART)
    assert compare_all(service, inside) == RESTART.keys()
    assert {name: read(service)[name] for name in RESTART} == RESTART
    assert {name: look_up(inside, name)[0] for name in RESTART} == before
    patch(service, dict.fromkeys(RESTART))
    assert compare_all(service, inside) == set()


def test_what_postgresql_refuses_is_taken_back(service: Service, inside: Inside) -> None:
    patch(service, {"work_mem": 12})
    conf = inside.paths.postgres_conf.read_text()
    refused = try_patch(service, {"autovacuum_naptime": 0, "work_mem": 24})
    assert refused.status_code == 422
    message = refused.json()["message"]
    assert message.startswith("autovacuum_naptime: 0")
    assert 'outside the valid range for parameter "autovacuum_naptime"' in message
    assert inside.paths.postgres_conf.read_text() == conf
    assert (read(service)["autovacuum_naptime"], read(service)["work_mem"]) == (60, 12)
    assert compare_all(service, inside) == set()
    assert service.read_cluster()["phase"] == "active"
    with service.pool("after", size=1) as uri, connect(uri) as client:
        client.execute("SELECT 1")


def test_only_what_postgresql_refuses_is_refused(service: Service, inside: Inside) -> None:
    """Others who ask at the same moment get what they asked for."""
    wanted: dict[str, Any] = {name: value for name, value in LIVE.items() if name != "timezone"}
    wanted["autovacuum_naptime"] = 0
    names = ["autovacuum_naptime", *sorted(wanted.keys() - {"autovacuum_naptime"})[:9]]
    with ThreadPoolExecutor(len(names)) as threads:
        asked = {name: threads.submit(try_patch, service, {name: wanted[name]}) for name in names}
    answers = {name: answer.result() for name, answer in asked.items()}
    refused = answers.pop("autovacuum_naptime")
    assert refused.status_code == 422
    assert refused.json()["message"].startswith("autovacuum_naptime: 0")
    assert {name: each.status_code for name, each in answers.items()} == dict.fromkeys(answers, 200)
    config = read(service)
    assert {name: config[name] for name in answers} == {name: wanted[name] for name in answers}
    assert config["autovacuum_naptime"] == 60
    assert compare_all(service, inside) == set()


def test_settings_of_extensions_are_written_down_for_them(service: Service, inside: Inside) -> None:
    patch(
        service,
        {
            "timescaledb": {"max_background_workers": 8},
            "pg_partman_bgw.role": "part-man",
            "pg_partman_bgw.interval": 7200,
            "stat_monitor_enable": True,
        },
    )
    with contextlib.closing(inside.connect()) as connection:
        for name, value in (
            ("timescaledb.max_background_workers", "8"),
            ("pg_partman_bgw.role", "part-man"),
            ("pg_partman_bgw.interval", "7200"),
        ):
            assert connection.execute(f"SHOW {name}".encode()).fetchone() == (value,)
    assert compare_all(service, inside) == set()


POOLER: list[dict[str, Any]] = [
    {"min_pool_size": 3, "server_idle_timeout": 30},
    {"server_lifetime": 60, "server_reset_query_always": True},
    {"ignore_startup_parameters": ["search_path"], "autodb_idle_timeout": 60},
    {"min_pool_size": 10_000, "server_idle_timeout": 0},
    {"server_reset_query_always": None, "min_pool_size": None},
]


def test_the_pooler_changes_under_load_and_cuts_nobody(service: Service, inside: Inside) -> None:
    pid = inside.read_pooler_pid()
    with (
        service.pool("busy", size=5) as busy,
        service.pool("calm", size=5, mode="session") as calm,
        running_load(busy, 15) as load,
        running_load(calm, 3, reconnect=True) as comers,
    ):
        for config in POOLER:
            patch(service, {"pgbouncer": config})
            compare_pooler(inside, read(service)["pgbouncer"])
            load.await_turns()
            comers.await_turns()
    assert (load.errors, comers.errors) == ([], [])
    assert inside.read_pooler_pid() == pid


def test_a_search_path_has_no_effect_once_it_is_ignored(service: Service) -> None:
    def log_in() -> str:
        with connect(uri, options="-c search_path=pg_catalog") as client:
            return str(client.execute("SHOW search_path").fetchone())

    with service.pool("paths") as uri:
        # Older ones refuse what newer ones of PgBouncer heed.
        with contextlib.suppress(psycopg.OperationalError):
            assert log_in() == "('pg_catalog',)"
        patch(service, {"pgbouncer": {"ignore_startup_parameters": ["search_path"]}})
        assert log_in() == """('"$user", public',)"""


def test_backends_that_are_kept_open_stay_within_the_budget(
    service: Service, inside: Inside
) -> None:
    """``min_pool_size`` counts for each user of a pool, the pool's size for all of them."""
    passwords = {name: service.create_user(name) for name in ("min-a", "min-b", "min-c")}
    service.create_database("minimal")
    patch(service, {"pgbouncer": {"min_pool_size": 10_000}})

    def exceeds(found: Counter[str]) -> str:
        return f"{found}" if found["minimal"] > 6 else ""

    with (
        service.pool("kept", size=6, user="", db="minimal") as uri,
        Watch(inside, exceeds) as watch,
    ):
        with contextlib.ExitStack() as clients:
            for name, password in passwords.items():
                client = clients.enter_context(connect(log_in_as(uri, name, password)))
                client.execute("SELECT 1")
            wait_until("all six are kept open", lambda: watch.count() >= 6)
            with running_load(log_in_as(uri, "min-b", passwords["min-b"]), 12) as load:
                load.await_turns(20)
            assert load.errors == []
            service.change_pool("kept", size=2)
            wait_until("two are kept open", lambda: watch.count() <= 2)
        assert watch.excesses == []


def test_slots_are_never_forbidden_that_there_are(service: Service, inside: Inside) -> None:
    names = [f"slot_{number}" for number in range(9)]
    with contextlib.closing(inside.connect()) as connection:
        for name in names:
            query = f"SELECT pg_create_physical_replication_slot('{name}')"
            connection.execute(query.encode())
        try:
            patch(service, {"max_replication_slots": 8})
            text = inside.paths.postgres_conf.read_text()
            assert "\nmax_replication_slots = 9\n" in text
        finally:
            for name in names:
                connection.execute(f"SELECT pg_drop_replication_slot('{name}')".encode())


@pytest.fixture
def own(api: httpx.Client) -> Iterator[Service]:
    """A cluster of the test's own, which is restarted."""
    service = Service(api, create_cluster(api, "restarted"))
    yield service
    api.delete(service.address)


def test_what_waits_comes_in_force_with_a_planned_restart(own: Service, plane: Plane) -> None:
    """Also while PgBouncer keeps backends open, and would open them anew."""

    def read_window() -> Any:
        return own.api.get(own.address).json()["database"]["maintenance_window"]

    inside = Inside(plane, own.id)
    patch(own, {**RESTART, "pgbouncer": {"min_pool_size": 4}})
    window = read_window()
    assert window["pending"] is True
    assert "max_wal_senders" in " ".join(window["description"])
    with running_load(own.create_pool("busy", size=4), 12) as load:
        assert own.api.put(f"{own.address}/install_update").status_code == 204
        wait_until("nothing waits any more", lambda: not read_window()["pending"])
        load.await_turns()
    assert load.errors == []
    assert compare_all(own, inside) == set()
    assert {name: read(own)[name] for name in RESTART} == RESTART


def test_what_was_set_outlives_both_control_plane_and_servers() -> None:
    asked = {"work_mem": 20, "track_commit_timestamp": "on", "max_prepared_transactions": 5}
    waiting = asked.keys() - {"work_mem"}
    with running_plane("--empty") as plane:
        with plane.client() as client:
            service = Service(client, create_cluster(client, "kept"))
            patch(service, asked)
            patch(service, {"pgbouncer": {"server_lifetime": 600}})
        plane.kill()
        plane.start()
        inside = Inside(plane, service.id)
        with plane.client() as client:
            assert compare_all(Service(client, {"id": service.id}), inside) == waiting
        restart_all(plane)
        with plane.client() as client:
            service = Service(client, {"id": service.id})
            wait_until("both servers are back", lambda: are_back(inside))
            assert compare_all(service, inside) == set()
            config = read(service)
            assert {name: config[name] for name in asked} == asked
            assert config["pgbouncer"]["server_lifetime"] == 600
            keep_prepared(service, inside)


def are_back(inside: Inside) -> bool:
    try:
        with contextlib.closing(inside.connect()), inside.console():
            return True
    except psycopg.OperationalError:
        return False


def restart_all(plane: Plane) -> None:
    assert plane.process is not None
    plane.run("down", "--all", "--force")
    plane.process.wait(timeout=60)
    plane.start()


def keep_prepared(service: Service, inside: Inside) -> None:
    """A prepared transaction that stands in the write-ahead log alone survives a crash, even if
    none are allowed any more: with fewer than there are, PostgreSQL would not start."""
    cluster = service.api.get(service.address).json()["database"]
    with connect(cluster["connection"]["uri"]) as client:
        client.execute("BEGIN")
        client.execute("CREATE TABLE kept AS SELECT 1 AS one")
        client.execute("PREPARE TRANSACTION 'kept'")
    patch(service, {"max_prepared_transactions": None})
    before = inside.read_pid()
    os.kill(before, signal.SIGKILL)

    def commit() -> bool:
        try:
            with connect(cluster["connection"]["uri"]) as client:
                client.execute("COMMIT PREPARED 'kept'")
                return client.execute("SELECT one FROM kept").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    wait_until("the prepared transaction is committed", commit)
    assert inside.read_pid() != before
    assert "former configuration" not in service.read_cluster()["reason"]
