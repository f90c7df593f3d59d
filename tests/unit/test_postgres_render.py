"""PostgreSQL's files as whole texts. After a change that is meant: POOLKEEPER_GOLDEN=write."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Cluster, Ports
from poolkeeper.domain.memory import GIB, MIB, share_memory
from poolkeeper.domain.sizes import SLUGS, parse_size
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres.render import render_conf, render_ident

GOLDEN = Path(__file__).parents[1] / "golden" / "postgres"

CLUSTER = Cluster(
    id=UUID("0a4f8e0e-6f4c-4a5f-9f0c-2f6f5a3d9b11"),
    name="main",
    version="15",
    size=parse_size("db-s-2vcpu-4gb"),
    region="nyc1",
    ports=Ports(25060),
    storage_size_mib=60 * 1024,
    tags=(),
    private_network_uuid="",
    project_id="",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    generation=1,
)
PATHS = ClusterPaths.of(Path("/var/lib/poolkeeper"), CLUSTER.id, CLUSTER.ports)


def compare(name: str, text: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("POOLKEEPER_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()


def conf(cluster: Cluster = CLUSTER, paths: ClusterPaths = PATHS, **changes: object) -> str:
    asked: dict[str, object] = {"host_memory": 16 * GIB, "cpus": 8, "major": 15, **changes}
    listen = str(asked.pop("listen", "127.0.0.1"))
    return render_conf(paths, cluster, listen, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("major", [13, 15, 17])
def test_conf_of_a_major(major: int) -> None:
    compare(f"postgresql-{major}.conf", conf(major=major))


def test_conf_on_a_host_smaller_than_the_size() -> None:
    large = replace(CLUSTER, size=parse_size("gd-16vcpu-64gb"), storage_size_mib=960 * 1024)
    compare("postgresql-small-host.conf", conf(large, host_memory=2 * GIB, cpus=2))


def test_ident() -> None:
    compare("pg_ident.conf", render_ident("poolkeeper", ["doadmin", "App-1", "all"]))


def test_conf_with_settings_of_the_api() -> None:
    config = {
        "work_mem": 64,
        "shared_buffers_percentage": 40.5,
        "jit": False,
        "autovacuum_vacuum_cost_delay": -1,
        "autovacuum_vacuum_scale_factor": 0.05,
        "bgwriter_flush_after": 1024,
        "log_line_prefix": "pid=%p,user=%u,db=%d,app=%a,client=%h",
        "max_replication_slots": 8,
        "max_stack_depth": 4194304,
        "pg_stat_statements.track": "all",
        "timezone": "Europe/Berlin",
        "pgbouncer": {"min_pool_size": 2},
    }
    floors = {"max_replication_slots": 9, "max_prepared_transactions": 0}
    compare("postgresql-configured.conf", conf(replace(CLUSTER, config=config), floors=floors))


def test_a_floor_holds_what_was_never_set() -> None:
    text = conf(floors={"max_prepared_transactions": 5, "max_replication_slots": 4})
    assert "\nmax_prepared_transactions = 5\n" in text
    assert "\nmax_replication_slots = 10\n" in text


def test_values_are_escaped() -> None:
    paths = ClusterPaths.of(Path('/srv/it\'s, \\a "place"'), CLUSTER.id, CLUSTER.ports)
    text = conf(paths=paths)
    start = "/srv/it''s, \\\\a "
    assert f"""data_directory = '{start}"place"/clusters/{CLUSTER.id}/data'""" in text
    # A list: in it, a comma asks for quotes, and quotes are doubled.
    assert f"""unix_socket_directories = '"{start}""place""/run/25060"'""" in text


@pytest.mark.parametrize("listen", ["127.0.0.1\nssl = off", "a\0b"])
def test_no_value_can_begin_a_line_of_its_own(listen: str) -> None:
    with pytest.raises(ValueError, match=r"cannot stand in postgresql\.conf"):
        conf(listen=listen)
    with pytest.raises(ValueError, match=r"cannot stand in pg_ident\.conf"):
        render_ident("poolkeeper", [listen])


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("host_memory", [512 * MIB, 2 * GIB, 24 * GIB, 512 * GIB])
def test_memory_never_exceeds_what_there_is(slug: str, host_memory: int) -> None:
    size = parse_size(slug)
    shares = share_memory(size, host_memory)
    basis = min(size.gib * GIB, host_memory)
    assert shares.shared_buffers * MIB <= basis / 2
    assert (shares.shared_buffers + 3 * shares.maintenance_work_mem) * MIB <= basis
    assert shares.shared_buffers >= 32
    assert shares.work_mem >= 1
