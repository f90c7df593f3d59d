"""What one user or database runs into is its own affair; the rest of the cluster goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from poolkeeper.domain.clusters import Cluster, Desired, Ports
from poolkeeper.domain.databases import Database
from poolkeeper.domain.errors import EngineError, ProcessFailed
from poolkeeper.domain.sizes import parse_size
from poolkeeper.domain.users import Role, User
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres import databases, roles
from poolkeeper.reconcile.backends import Backends
from poolkeeper.reconcile.catalog import apply_catalog

SIZE = parse_size("db-s-1vcpu-1gb")
CLUSTER = Cluster(
    UUID(int=1), "main", "15", SIZE, "nyc1", Ports(25060), SIZE.storage_mib, (), "", "",
    datetime(2026, 11, 1, tzinfo=UTC), 3,
)  # fmt: skip
DESIRED = Desired(
    CLUSTER,
    superuser_password="",
    console_password="",
    databases=(Database("late", 3),),
    users=(User("gone", Role.NORMAL, "", "", 2, deleted=True),),
    pools=(),
)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The databases that were made; there is no server."""
    names: list[str] = []
    monkeypatch.setattr(Backends, "connect", lambda *_: None)
    monkeypatch.setattr(databases, "ensure_database", lambda _, name: names.append(name))
    return names


def apply(monkeypatch: pytest.MonkeyPatch, error: Exception) -> dict[str, str]:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(roles, "drop_user", refuse)
    backends = Backends(ClusterPaths.of(Path("/none"), CLUSTER.id, CLUSTER.ports))
    return apply_catalog(backends, DESIRED, 1, (), lambda: None)


@pytest.mark.parametrize("sqlstate", ["55006", "55P03", "40P01", "57014", "2BP01", "42501"])
def test_what_stands_against_one_change_is_told_of_it_alone(
    monkeypatch: pytest.MonkeyPatch, made: list[str], sqlstate: str
) -> None:
    failures = apply(monkeypatch, psycopg.errors.lookup(sqlstate)("in the way\nLINE 1"))
    assert list(failures) == ["user:gone"]
    assert failures["user:gone"].startswith("in the way")
    assert "LINE" not in failures["user:gone"]
    assert made == ["late"]


def test_a_session_that_does_not_end_is_told_of_it_alone(
    monkeypatch: pytest.MonkeyPatch, made: list[str]
) -> None:
    failures = apply(monkeypatch, ProcessFailed("backends do not end within 5 s: pid 7"))
    assert failures == {"user:gone": "backends do not end within 5 s: pid 7"}
    assert made == ["late"]


@pytest.mark.parametrize("sqlstate", ["53100", "57P01", "57P03", "58030"])
def test_a_server_that_is_not_well_fails_the_pass(
    monkeypatch: pytest.MonkeyPatch, made: list[str], sqlstate: str
) -> None:
    with pytest.raises(EngineError, match="PostgreSQL: no room"):
        apply(monkeypatch, psycopg.errors.lookup(sqlstate)("no room"))
    assert made == []


@pytest.mark.parametrize("error", [psycopg.OperationalError, psycopg.InterfaceError])
def test_so_does_a_connection_that_is_lost(
    monkeypatch: pytest.MonkeyPatch, made: list[str], error: type[psycopg.Error]
) -> None:
    with pytest.raises(EngineError, match="PostgreSQL: the connection is lost"):
        apply(monkeypatch, error("the connection is lost"))
    assert made == []


def test_what_is_in_force_is_left_alone(made: list[str]) -> None:
    backends = Backends(ClusterPaths.of(Path("/none"), CLUSTER.id, CLUSTER.ports))
    assert apply_catalog(backends, DESIRED, 3, (), lambda: None) == {}
    assert made == []
