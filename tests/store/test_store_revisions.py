"""Revisions of the schema, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from locations import KEY, Location
from sqlalchemy import CheckConstraint, Connection, ForeignKeyConstraint, inspect, text

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.store import engines
from poolkeeper.store.clusters import find_cluster
from poolkeeper.store.engines import open_engines
from poolkeeper.store.revisions import HEAD, climb, configure, read_revision, upgrade
from poolkeeper.store.schema import METADATA

AddCluster = Callable[..., Cluster]


@pytest.fixture
def connection(empty_location: Location) -> Iterator[Connection]:
    opened = open_engines(empty_location.url, empty_location.state_dir)
    with opened.migrator.connect() as connection, connection.begin():
        yield connection
    opened.dispose()


def test_head_is_the_newest_revision(connection: Connection) -> None:
    script = ScriptDirectory.from_config(configure(connection))
    assert script.get_heads() == [HEAD]


def test_the_revisions_make_the_tables_of_the_schema(connection: Connection) -> None:
    assert read_revision(connection) is None
    climb(connection)
    assert read_revision(connection) == HEAD
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    assert compare_metadata(context, METADATA) == []


def test_constraints_have_the_names_of_the_schema(connection: Connection) -> None:
    """What compare_metadata leaves out."""
    climb(connection)
    inspector = inspect(connection)
    kinds = (ForeignKeyConstraint, CheckConstraint)
    for name, table in METADATA.tables.items():
        found = {key["name"] for key in inspector.get_foreign_keys(name)}
        found |= {check["name"] for check in inspector.get_check_constraints(name)}
        wanted = [constraint for constraint in table.constraints if isinstance(constraint, kinds)]
        assert found == {constraint.name for constraint in wanted}, name
        # SQLite does not keep the name of an AUTOINCREMENT key.
        assert inspector.get_pk_constraint(name)["name"] in (f"pk_{name}", None)


def test_down_and_up_again(connection: Connection) -> None:
    climb(connection)
    config = configure(connection)
    command.downgrade(config, "base")
    assert inspect(connection).get_table_names() == ["alembic_version"]
    upgrade(connection)
    context = MigrationContext.configure(connection)
    assert compare_metadata(context, METADATA) == []


def test_a_new_store_is_what_the_revisions_make(connection: Connection) -> None:
    upgrade(connection)
    made = _describe(connection)
    command.downgrade(configure(connection), "base")
    climb(connection)
    assert read_revision(connection) == HEAD
    assert made == _describe(connection)


def _describe(connection: Connection) -> dict[str, object]:
    inspector = inspect(connection)
    return {
        name: (
            # Types are equal to themselves only.
            sorted(map(repr, inspector.get_columns(name))),
            inspector.get_pk_constraint(name),
            sorted(map(_describe_index, inspector.get_indexes(name))),
            sorted(map(repr, inspector.get_unique_constraints(name))),
            sorted(map(repr, inspector.get_foreign_keys(name))),
            sorted(map(repr, inspector.get_check_constraints(name))),
        )
        for name in inspector.get_table_names()
    }


def _describe_index(index: Mapping[str, Any]) -> str:
    options = {key: str(value) for key, value in index.get("dialect_options", {}).items()}
    return repr({**index, "dialect_options": options})


def test_a_new_store_opens_without_alembic(empty_location: Location) -> None:
    test_a_store_at_head_opens_without_alembic(empty_location)


def test_a_store_at_head_opens_without_alembic(location: Location) -> None:
    script = f"""
import pathlib, sys
from datetime import UTC, datetime
from poolkeeper.store.database import Store
from poolkeeper.store.sealing import Sealer
store = Store.open({location.url!r}, pathlib.Path({str(location.state_dir)!r}),
    now=lambda: datetime.now(UTC), sealer=Sealer({KEY!r}))
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=100)


def test_twenty_that_open_a_new_store_together(
    empty_location: Location,
    race: Callable[[Callable[[int], object]], list[object]],
    add_cluster: AddCluster,
) -> None:
    def open_and_use(number: int) -> None:
        store = empty_location.open()
        with store.write() as tx:
            cluster = add_cluster(tx, f"cluster-{number}")
        with store.read() as tx:
            assert find_cluster(tx, cluster.id) == cluster
        store.close()

    assert race(open_and_use) == [None] * 20


def test_a_store_of_a_newer_poolkeeper_is_left_alone(empty_location: Location) -> None:
    store = empty_location.open()
    with store.write() as tx:
        tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    for _ in range(2):
        with pytest.raises(PoolkeeperError, match=r"has schema 9999.*run the newer Poolkeeper"):
            empty_location.open()


def test_a_failed_upgrade_leaves_the_store_as_it_was(
    empty_location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(connection: Connection) -> None:
        upgrade(connection)
        raise RuntimeError("half-way")

    with monkeypatch.context() as patch:
        patch.setattr("poolkeeper.store.database.upgrade", break_off)
        with pytest.raises(RuntimeError, match="half-way"):
            empty_location.open()
    opened = open_engines(empty_location.url, empty_location.state_dir)
    with opened.reader.connect() as connection:
        assert inspect(connection).get_table_names() == []
    opened.dispose()
    empty_location.open().close()


def test_foreign_keys_are_off_for_revisions_and_on_for_writes(tmp_path: Path) -> None:
    """SQLite alters a table by dropping it, which would cascade to what refers to it."""
    opened = open_engines(None, tmp_path)
    for engine, expected in ((opened.writer, 1), (opened.migrator, 0), (opened.writer, 1)):
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == expected
    opened.dispose()


def test_the_lock_of_writes_is_a_number_postgresql_takes() -> None:
    assert -(2**63) <= engines._WRITE_LOCK < 2**63
