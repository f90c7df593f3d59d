"""PgBouncer's files stand in a folder of the servers' account, while we may be root."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Ports
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.pooler_files import PoolerFiles


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    paths = ClusterPaths.of(tmp_path, UUID(int=1), Ports(25060))
    paths.pooler.mkdir(parents=True)
    return paths


@pytest.fixture
def files(paths: ClusterPaths) -> PoolerFiles:
    host = SimpleNamespace(processes=SimpleNamespace(account=None))
    return PoolerFiles(cast(Host, host), paths)


def test_what_was_read_is_put_back(paths: ClusterPaths, files: PoolerFiles) -> None:
    place = paths.pooler / "userlist.txt"
    place.write_bytes(b"whatever \xff it was")
    texts = files.read()
    place.write_text("something else")
    files.put_back(texts)
    assert place.read_bytes() == b"whatever \xff it was"
    assert sorted(each.name for each in paths.pooler.iterdir()) == ["userlist.txt"]


def test_a_link_is_not_followed(paths: ClusterPaths, files: PoolerFiles) -> None:
    """What root can read would else be put into a file of the account."""
    secret = paths.root / "secret"
    secret.write_text("for root only")
    (paths.pooler / "userlist.txt").symlink_to(secret)
    assert files.read() == {}
