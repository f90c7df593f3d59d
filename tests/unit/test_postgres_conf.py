"""A configuration that PostgreSQL does not start with gives way to the one before."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Ports
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.reconcile.postgres_conf import PostgresConf

WHY = "FATAL: could not map anonymous shared memory"


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    paths = ClusterPaths.of(tmp_path, UUID(int=1), Ports(25060))
    paths.root.mkdir(parents=True)
    return paths


@pytest.fixture
def conf(paths: ClusterPaths) -> PostgresConf:
    """One that runs with ``good``."""
    conf = PostgresConf(paths, None)
    paths.postgres_conf.write_text("good")
    conf.prove()
    return conf


def test_a_refused_one_gives_way(paths: ClusterPaths, conf: PostgresConf) -> None:
    paths.postgres_conf.write_text("bad")
    assert conf.choose("bad", 3) == "bad"
    assert conf.refuse(3, WHY)
    assert paths.postgres_conf.read_text() == "good"
    assert (conf.choose("bad", 3), conf.explain("bad", 3)) == ("good", WHY)
    # Another control plane knows it as well.
    assert PostgresConf(paths, None).choose("bad", 3) == "good"


def test_another_one_is_tried_and_a_refused_one_again_when_asked(
    paths: ClusterPaths, conf: PostgresConf
) -> None:
    paths.postgres_conf.write_text("bad")
    conf.refuse(3, WHY)
    assert (conf.choose("better", 3), conf.explain("better", 3)) == ("better", "")
    assert (conf.choose("bad", 4), conf.explain("bad", 4)) == ("bad", "")


def test_there_is_no_going_back_to_the_same(paths: ClusterPaths, conf: PostgresConf) -> None:
    assert not conf.refuse(3, WHY)
    assert conf.choose("good", 3) == "good"


def test_without_a_proven_one_there_is_no_going_back(paths: ClusterPaths) -> None:
    conf = PostgresConf(paths, None)
    paths.postgres_conf.write_text("first")
    assert not conf.refuse(0, WHY)
    assert paths.postgres_conf.read_text() == "first"


def test_what_was_not_its_fault_is_tried_again(paths: ClusterPaths, conf: PostgresConf) -> None:
    paths.postgres_conf.write_text("fine")
    conf.refuse(3, WHY)
    conf.pardon()
    assert conf.choose("fine", 3) == "fine"


@pytest.mark.parametrize("note", ["", "{", "[]", "{}", '{"digest": 1}'])
def test_a_note_that_cannot_be_read_is_none(
    paths: ClusterPaths, conf: PostgresConf, note: str
) -> None:
    paths.postgres_conf.write_text("bad")
    conf.refuse(3, WHY)
    (paths.root / "postgresql.refused.json").write_text(note)
    assert conf.choose("bad", 3) == "bad"
