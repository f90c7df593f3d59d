"""A pool whose login has to wait its turn is not taken for one that does not work."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from poolkeeper.domain.clusters import Cluster, Desired, Ports
from poolkeeper.domain.entries import Entry
from poolkeeper.domain.pools import PoolMode
from poolkeeper.domain.sizes import parse_size
from poolkeeper.domain.users import Role, User
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.reconcile.proofs import Proofs

SIZE = parse_size("db-s-1vcpu-1gb")
CLUSTER = Cluster(
    UUID(int=1), "main", "15", SIZE, "nyc1", Ports(25060), SIZE.storage_mib, (), "", "",
    datetime(2026, 11, 1, tzinfo=UTC), 3,
)  # fmt: skip
DESIRED = Desired(CLUSTER, "", "", (), (User("doadmin", Role.PRIMARY, "", "", 1),), ())
ENTRY = Entry("web", "defaultdb", "doadmin", PoolMode.TRANSACTION, 5)
PATHS = ClusterPaths.of(Path("/none"), CLUSTER.id, CLUSTER.ports)


def demand(monkeypatch: pytest.MonkeyPatch, words: str, *, existing: bool) -> dict[str, str]:
    def refuse(**_: object) -> None:
        raise psycopg.OperationalError(f"connection failed: on socket /none\nFATAL:  {words}")

    monkeypatch.setattr(psycopg, "connect", refuse)
    return Proofs(PATHS).demand(DESIRED, [ENTRY], {"web"} if existing else ())


@pytest.mark.parametrize(
    "words", ["query_wait_timeout", "no more connections allowed (max_client_conn)"]
)
def test_one_that_is_served_and_busy_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    assert demand(monkeypatch, words, existing=True) == {}
    told = {"web": f"a login through the pool failed: {words}"}
    assert demand(monkeypatch, words, existing=False) == told


def test_one_that_was_gone_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    logins: list[object] = []

    def connect(**given: object) -> BytesIO:
        logins.append(given["dbname"])
        return BytesIO()

    monkeypatch.setattr(psycopg, "connect", connect)
    proofs = Proofs(PATHS)
    for existing in ((), ("web",), ("web",)):
        assert proofs.demand(DESIRED, [ENTRY], existing) == {}
    assert logins == ["web"]
    proofs.demand(DESIRED, [], ())
    proofs.demand(DESIRED, [ENTRY], ("web",))
    assert logins == ["web", "web"]


def test_one_that_postgresql_refuses_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "permission denied for database"
    told = {"web": f"a login through the pool failed: {words}"}
    assert demand(monkeypatch, words, existing=True) == told
