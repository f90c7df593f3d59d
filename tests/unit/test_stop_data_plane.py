"""`poolkeeper down --all`, where not everything goes well."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from poolkeeper.control_plane import serve, wiring
from poolkeeper.domain.clusters import ClusterRequest, Ports
from poolkeeper.domain.errors import EngineError, ProcessFailed
from poolkeeper.domain.sizes import DEFAULT_SIZE, parse_size
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.settings import Settings, load
from poolkeeper.store.clusters import insert_cluster


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A state with three clusters, on a machine whose PgBouncer has been uninstalled."""
    flags = {"state_dir": str(tmp_path), "pgbouncer": str(tmp_path / "gone")}
    settings = load(flags, {}, host_checks=False).settings
    with closing(wiring.open_store(settings)) as store, store.write() as tx:
        for number, name in enumerate(("one", "two", "three")):
            request = ClusterRequest(name, "17", parse_size(DEFAULT_SIZE), "nyc1", 10240)
            insert_cluster(
                tx,
                uuid4(),
                request,
                ports=Ports(25060 + 2 * number),
                superuser_password="s",
                console_password="c",
                private_network_uuid="",
                project_id="",
            )
    return settings


def test_one_server_that_does_not_stop_keeps_no_other_running(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = []

    def stop(paths: ClusterPaths) -> list[str]:
        if not stopped:
            stopped.append("not")
            raise ProcessFailed("PostgreSQL (pid 7) did not stop within 30 s (fast)")
        stopped.append("yes")
        return ["PostgreSQL"]

    monkeypatch.setattr(serve, "stop_servers", stop)
    with pytest.raises(EngineError, match=r"not all servers are stopped: one: .*pid 7") as failed:
        serve.stop_data_plane(settings)
    assert "two" not in str(failed.value)
    assert stopped == ["not", "yes", "yes"]
