"""The servers of a deleted cluster end, whatever holds up an orderly stop."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Ports
from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres import server
from poolkeeper.reconcile import teardown
from poolkeeper.reconcile.teardown import stop_servers

PATHS = ClusterPaths.of(Path("/none"), UUID(int=1), Ports(25060))


@pytest.fixture
def stops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How a PostgreSQL was stopped that a replica holds up."""
    modes: list[str] = []

    def stop(_: ClusterPaths, *, timeout: float, mode: str = "fast") -> None:
        modes.append(mode)
        if mode == "fast":
            raise ProcessFailed(f"PostgreSQL did not stop within {timeout:g} s")

    monkeypatch.setattr(server, "stop", stop)
    monkeypatch.setattr(server, "find_postmaster", lambda _: object())
    monkeypatch.setattr(teardown, "stop_pooler", lambda _: False)
    return modes


def test_a_deleted_cluster_does_not_wait_for_a_replica(stops: list[str]) -> None:
    assert stop_servers(PATHS, is_final=True) == ["PostgreSQL"]
    assert stops == ["fast", "immediate"]


def test_one_that_is_to_run_again_is_not_left_to_recovery(stops: list[str]) -> None:
    with pytest.raises(ProcessFailed):
        stop_servers(PATHS)
    assert stops == ["fast"]
