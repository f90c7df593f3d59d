"""What `/metrics` tells, and that the docs have all of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families

from poolkeeper.domain.clusters import Cluster, Ports
from poolkeeper.domain.pools import Pool, PoolMode, PoolShape
from poolkeeper.domain.sizes import parse_size
from poolkeeper.domain.standing import ClusterDetail
from poolkeeper.domain.status import ClusterState, Phase, PoolLoad, PoolState, ServerProcess
from poolkeeper.metrics.exposition import Facts, render

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 1, 10, tzinfo=UTC)
ID = UUID(int=7)
CLUSTER = Cluster(
    ID, "main", "15", parse_size("db-s-1vcpu-1gb"), "nyc1", Ports(25060), 10240, (), "", "", NOW, 5
)
POOL = Pool(3, "web", PoolShape("defaultdb", None, PoolMode.TRANSACTION, 8), 5, NOW)
DETAIL = ClusterDetail(
    cluster=CLUSTER,
    state=ClusterState(ID, Phase.ACTIVE, "", NOW, applied_generation=5, was_online=True),
    pools=[POOL],
    pool_states={3: PoolState(3, Phase.ACTIVE, "", NOW, 5, 8)},
    held={"web": 9, "gone": 2},
    processes=(ServerProcess("pgbouncer", 1, 4711, "1.26.1", 25061, NOW),),
    loads={"web": PoolLoad(4, 2, 1, 0, 0.25)},
)


def tell(*details: ClusterDetail) -> dict[str, float]:
    """Every sample as it is written."""
    lines = render(Facts("1.2.3", NOW, details)).decode().splitlines()
    samples = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in samples}


def test_whatever_is_told_is_in_the_docs_and_nothing_else() -> None:
    text = render(Facts("1.2.3", NOW, [DETAIL])).decode()
    told = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            told[sample.name] = set(sample.labels)
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(poolkeeper_\w+)` \|([^|]*)\| \S", page, re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == told


def test_a_cluster_that_is_up() -> None:
    told = tell(DETAIL)
    assert told['poolkeeper_build_info{version="1.2.3"}'] == 1
    assert told['poolkeeper_cluster_up{cluster="main"}'] == 1
    assert told['poolkeeper_cluster_held_connections{cluster="main"}'] == 11
    assert told['poolkeeper_pool_held_connections{cluster="main",pool="web"}'] == 9
    started = 'poolkeeper_server_start_time_seconds{cluster="main",index="1",server="pgbouncer"}'
    assert told[started] == NOW.timestamp()
    phases = {name: value for name, value in told.items() if "cluster_phase" in name}
    assert len(phases) == len(Phase)
    assert [name for name, value in phases.items() if value] == [
        'poolkeeper_cluster_phase{cluster="main",phase="active"}'
    ]


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.ACTIVE])
def test_a_cluster_that_is_not_up_has_no_counts(phase: Phase) -> None:
    assert DETAIL.state is not None
    told = tell(replace(DETAIL, state=replace(DETAIL.state, phase=phase)))
    assert told['poolkeeper_cluster_up{cluster="main"}'] == 0
    assert told['poolkeeper_pool_size_connections{cluster="main",pool="web"}'] == 8
    assert not [name for name in told if "clients" in name or "backends" in name]
    assert not [name for name in told if "server_start" in name or "max_wait" in name]


def test_a_cluster_that_nobody_has_looked_at_yet() -> None:
    told = tell(replace(DETAIL, state=None, pool_states={}, held={}, processes=(), loads={}))
    assert told['poolkeeper_cluster_phase{cluster="main",phase="creating"}'] == 1
    assert told['poolkeeper_cluster_pending_changes{cluster="main"}'] == 5
    assert told['poolkeeper_pool_in_force{cluster="main",pool="web"}'] == 0
    # What is not written down as held yet counts all the same.
    assert told['poolkeeper_pool_held_connections{cluster="main",pool="web"}'] == 8


def test_without_clusters_there_is_the_control_plane() -> None:
    assert tell() == {
        'poolkeeper_build_info{version="1.2.3"}': 1,
        "poolkeeper_start_time_seconds": NOW.timestamp(),
    }
