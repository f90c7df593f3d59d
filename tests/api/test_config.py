"""Settings of a cluster over ``/v2``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.front import Front

Cluster = Mapping[str, Any]


def read(front: Front, cluster: Cluster) -> dict[str, Any]:
    response = front.call("GET", f"/v2/databases/{cluster['id']}/config")
    assert response.status_code == 200
    config: dict[str, Any] = response.json()["config"]
    return config


def patch(front: Front, cluster: Cluster, config: object) -> tuple[int, str]:
    """Status and message."""
    response = front.call("PATCH", f"/v2/databases/{cluster['id']}/config", {"config": config})
    if response.status_code == 200:
        assert response.content == b""
        return 200, ""
    return response.status_code, response.json()["message"]


def refuse(front: Front, cluster: Cluster, config: object) -> str:
    """The message of a refusal, after which nothing is changed."""
    before = front.look()
    status, message = patch(front, cluster, config)
    assert status == 422, (status, message)
    assert front.look() == before
    return message


def list_changes(front: Front, cluster: Cluster) -> list[dict[str, Any]]:
    """What the audit trail tells of changed settings, newest first."""
    path = f"/v1/events?cluster_id={cluster['id']}"
    events = front.call("GET", path).json()["events"]
    return [event["detail"] for event in events if event["kind"] == "config_update"]


def test_unset_everything_has_its_default(front: Front, main: Cluster) -> None:
    config = read(front, main)
    assert config["work_mem"] == 7
    assert config["shared_buffers_percentage"] == 25
    assert config["max_connections"] == 25
    assert config["autovacuum_naptime"] == 60
    assert config["jit"] is True
    assert config["track_io_timing"] == "on"
    assert config["timezone"] == "UTC"
    assert config["log_autovacuum_min_duration"] == 600_000
    assert config["timescaledb"] == {}
    assert config["pgbouncer"] == {
        "server_reset_query_always": False,
        "ignore_startup_parameters": ["extra_float_digits"],
        "min_pool_size": 0,
        "server_lifetime": 3600,
        "server_idle_timeout": 600,
        "autodb_pool_size": 0,
        "autodb_pool_mode": "session",
        "autodb_max_db_connections": 0,
        "autodb_idle_timeout": 3600,
    }


def test_what_is_not_there_is_not_shown(front: Front, main: Cluster) -> None:
    config = read(front, main)
    absent = ("backup_hour", "backup_minute", "pg_partman_bgw.role", "pg_partman_bgw.interval")
    assert not config.keys() & {*absent, "max_failover_replication_time_lag"}
    assert (config["synchronous_replication"], config["stat_monitor_enable"]) == ("off", False)


def test_defaults_follow_the_size(front: Front) -> None:
    large = read(front, front.create_cluster("large", size="db-s-4vcpu-8gb"))
    assert (large["max_connections"], large["max_parallel_workers"]) == (200, 4)
    assert large["max_slot_wal_keep_size"] == 120 * 1024 // 5


def test_story(front: Front, main: Cluster) -> None:
    before = read(front, main)
    assert patch(front, main, {"work_mem": 16, "pgbouncer": {"min_pool_size": 2}}) == (200, "")
    assert patch(front, main, {"pgbouncer": {"server_lifetime": 900}, "jit": False}) == (200, "")
    pgbouncer = before["pgbouncer"] | {"min_pool_size": 2, "server_lifetime": 900}
    assert read(front, main) == before | {"work_mem": 16, "jit": False, "pgbouncer": pgbouncer}
    assert patch(front, main, {"work_mem": None, "pgbouncer": {"min_pool_size": None}})[0] == 200
    now = read(front, main)
    assert (now["work_mem"], now["pgbouncer"]["min_pool_size"]) == (7, 0)
    assert now["pgbouncer"]["server_lifetime"] == 900
    assert patch(front, main, {"pgbouncer": None, "jit": None}) == (200, "")
    assert read(front, main) == before
    assert list_changes(front, main) == [
        {"jit": "false → default", "pgbouncer.server_lifetime": "900 → default"},
        {"work_mem": "16 → default", "pgbouncer.min_pool_size": "2 → default"},
        {"jit": "default → false", "pgbouncer.server_lifetime": "default → 900"},
        {"work_mem": "default → 16", "pgbouncer.min_pool_size": "default → 2"},
    ]


@pytest.mark.parametrize(
    "config",
    [{}, {"pgbouncer": {}}, {"timescaledb": {}}, {"timescaledb": None}, {"backup_hour": None}],
)
def test_what_changes_nothing_leaves_no_trace(front: Front, main: Cluster, config: object) -> None:
    before = front.look()
    assert patch(front, main, config) == (200, "")
    assert front.look() == before
    assert list_changes(front, main) == []


def test_what_was_read_can_be_sent_back(front: Front, main: Cluster) -> None:
    before = read(front, main)
    assert patch(front, main, before) == (200, "")
    assert read(front, main) == before


def test_settings_of_extensions_that_are_not_loaded_are_kept(front: Front, main: Cluster) -> None:
    before = read(front, main)
    asked = {
        "timescaledb": {"max_background_workers": 8},
        "pg_partman_bgw.role": "partman",
        "pg_partman_bgw.interval": 7200,
        "stat_monitor_enable": True,
    }
    assert patch(front, main, asked) == (200, "")
    assert read(front, main) == before | asked
    assert patch(front, main, dict.fromkeys(asked)) == (200, "")
    assert read(front, main) == before


def test_startup_parameters_come_on_top_of_ours(front: Front, main: Cluster) -> None:
    words = {"ignore_startup_parameters": ["search_path"]}
    assert patch(front, main, {"pgbouncer": words}) == (200, "")
    shown = read(front, main)["pgbouncer"]["ignore_startup_parameters"]
    assert shown == ["extra_float_digits", "search_path"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"work_mem": 2000}, "work_mem: given 2000; it must be a whole number, 1 to 1024 (MB)"),
        ({"work_mem": "10"}, 'work_mem: given "10"; it must be a whole number, 1 to 1024 (MB)'),
        ({"work_mem": True}, "work_mem: given true; it must be a whole number, 1 to 1024 (MB)"),
        ({"work_mem": 8.0}, "work_mem: given 8.0; it must be a whole number, 1 to 1024 (MB)"),
        ({"jit": "on"}, 'jit: given "on"; it must be true or false'),
        ({"jit": 1}, "jit: given 1; it must be true or false"),
        (
            {"track_io_timing": True},
            'track_io_timing: given true; it must be one of "off", "on"',
        ),
        (
            {"autovacuum_vacuum_scale_factor": 1.5},
            "autovacuum_vacuum_scale_factor: given 1.5; it must be a number, 0 to 1",
        ),
        (
            {"wal_sender_timeout": 4999},
            "wal_sender_timeout: given 4999; it must be a whole number,"
            " 0, or 5000 to 10800000 (ms)",
        ),
        ({"pgbouncer": 5}, "pgbouncer: given 5; it must be an object"),
        (
            {"pgbouncer": {"server_lifetime": 59}},
            "pgbouncer.server_lifetime: given 59; it must be a whole number, 60 to 86400 (s)",
        ),
        (
            {"pgbouncer": {"ignore_startup_parameters": ["options"]}},
            'pgbouncer.ignore_startup_parameters: given ["options"];'
            ' it must be a list of "extra_float_digits", "search_path"',
        ),
        ({"workmem": 4}, "workmem: no such setting; work_mem is meant?"),
        ({"sql_mode": "ANSI"}, "sql_mode: no such setting"),
        ({"pgbouncer": {"max_size": 4}}, "pgbouncer.max_size: no such setting"),
        (
            {"pgbouncer.min_pool_size": 4},
            'pgbouncer.min_pool_size: write {"pgbouncer": {"min_pool_size": …}}',
        ),
        (
            {"timezone": "Europe/Berlim"},
            'timezone: given "Europe/Berlim"; the zone database has none of that name;'
            " Europe/Berlin is meant?",
        ),
        ({"timezone": "a\nb"}, 'timezone: given "a\\nb"; it must be a string of 1 to 64'),
        ({"backup_hour": 3}, "backup_hour: cannot be set here: Poolkeeper takes no backups"),
        ({"backup_hour": 24}, "backup_hour: given 24; it must be a whole number, 0 to 23"),
        (
            {"synchronous_replication": "quorum"},
            "synchronous_replication: cannot be set here: it takes a second node,"
            " and a cluster here has one",
        ),
        ({"max_failover_replication_time_lag": 60}, "it takes a second node"),
        ({"stat_monitor_enable": 1}, "stat_monitor_enable: given 1; it must be true or false"),
        (
            {"timescaledb": {"max_background_workers": 0}},
            "timescaledb.max_background_workers: given 0; it must be a whole number, 1 to 4096",
        ),
        ({"pg_partman_bgw.interval": 10}, "pg_partman_bgw.interval: given 10; it must be"),
        ({"pg_partman_bgw.role": "a'b"}, 'pg_partman_bgw.role: given "a\'b"; it must be'),
        ({"max_connections": 100}, "max_connections: cannot be set here: it follows the cluster's"),
        (
            {"pgbouncer": {"autodb_pool_size": 1}},
            "pgbouncer.autodb_pool_size: cannot be set here: automatic pools would open backends"
            " beyond the budget; create a pool instead",
        ),
        (
            {"max_locks_per_transaction": 6400, "max_prepared_transactions": 1000},
            "MB is a quarter of what the cluster has; lower max_locks_per_transaction or",
        ),
    ],
)
def test_what_cannot_be(front: Front, main: Cluster, config: object, told: str) -> None:
    assert told in refuse(front, main, config)


def test_all_faults_are_told_at_once(front: Front, main: Cluster) -> None:
    message = refuse(front, main, {"work_mem": 0, "jit": 0, "nonsense": 1})
    assert [part.partition(":")[0] for part in message.split("; ") if ":" in part] == [
        "work_mem",
        "jit",
        "nonsense",
    ]
    many = refuse(front, main, {f"x{number}": "y" * 5000 for number in range(50)})
    assert many.endswith("; and 45 more")
    assert len(many) < 1000


def test_one_fault_keeps_the_rest_from_being_applied(front: Front, main: Cluster) -> None:
    refuse(front, main, {"work_mem": 16, "jit": "yes"})
    assert read(front, main)["work_mem"] == 7


@pytest.mark.parametrize("body", [{}, {"config": None}, {"config": []}, {"work_mem": 4}, []])
def test_body_without_config(front: Front, main: Cluster, body: object) -> None:
    before = front.look()
    response = front.call("PATCH", f"/v2/databases/{main['id']}/config", body)
    assert response.status_code == 422
    assert front.look() == before


def test_what_an_older_postgresql_does_not_have(front: Front) -> None:
    front.change(majors=lambda: ["13"])
    old = front.create_cluster("old", version="13")
    assert "default_toast_compression" not in read(front, old)
    assert read(front, old)["log_autovacuum_min_duration"] == -1
    message = refuse(front, old, {"default_toast_compression": "lz4"})
    assert message == "default_toast_compression: PostgreSQL 13 does not have it, 14 does"


def test_what_postgresql_refuses_is_taken_back(front: Front, main: Cluster) -> None:
    assert patch(front, main, {"work_mem": 16}) == (200, "")
    told = '0 s is outside the valid range for parameter "autovacuum_naptime" (1 s .. 2147483 s)'
    front.reconciler.refusals["config"] = told
    asked = {"autovacuum_naptime": 0, "work_mem": 32}
    assert patch(front, main, asked) == (422, f"autovacuum_naptime: {told}")
    now = read(front, main)
    assert (now["autovacuum_naptime"], now["work_mem"]) == (60, 16)


def test_what_is_not_in_force_in_time_is_taken_back(front: Front, main: Cluster) -> None:
    # Once one is in force, the cluster is online.
    assert patch(front, main, {"jit": False}) == (200, "")
    front.reconciler.silent = True
    front.change(wait_seconds=0.3)
    status, message = patch(front, main, {"work_mem": 16})
    assert status == 503
    assert "was taken back" in message
    assert read(front, main)["work_mem"] == 7


def test_unknown_cluster_is_not_found(front: Front) -> None:
    for method, body in (("GET", None), ("PATCH", {"config": {}})):
        response = front.call(method, "/v2/databases/nope/config", body)
        assert (response.status_code, response.json()["message"]) == (404, "cluster not found")


def test_every_setting_is_described(front: Front, main: Cluster) -> None:
    schemas = front.app.openapi()["components"]["schemas"]
    described = schemas["ConfigBody"]["properties"]["config"]["properties"]
    shown = read(front, main)
    fixed = {"max_connections", "synchronous_replication"}
    unset = {"pg_partman_bgw.role", "pg_partman_bgw.interval"}
    assert described.keys() - unset == shown.keys() - fixed
    assert described["pgbouncer"]["properties"].keys() == (
        shown["pgbouncer"].keys() - {"autodb_pool_size"}
    )
    assert described["work_mem"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 1024,
        "description": "Memory of one sort or hash (MB).",
    }
