"""When the storage fails, callers learn that nothing was applied, and what to do."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from locations import KEY, Location, PostgresServer

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.errors import NameTaken, PoolkeeperError, Unavailable
from poolkeeper.store import engines
from poolkeeper.store.clusters import bump_generation, list_cluster_ids
from poolkeeper.store.database import Store

AddCluster = Callable[..., Cluster]


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> Location:
    (tmp_path / "poolkeeper.db").write_bytes(sqlite_template.read_bytes())
    return Location(None, tmp_path)


@pytest.fixture
def postgresql(postgres: PostgresServer, tmp_path: Path) -> Location:
    """A database of its own: what is done to it would disturb other tests."""
    location = Location(postgres.url(postgres.create_database()), tmp_path)
    location.open().close()
    return location


def test_the_file_is_for_its_owner_only(tmp_path: Path, add_cluster: AddCluster) -> None:
    before = os.umask(0)
    try:
        store = Location(None, tmp_path / "new" / "state").open()
        with store.write() as tx:
            add_cluster(tx)
    finally:
        os.umask(before)
    directory = tmp_path / "new" / "state"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert modes == dict.fromkeys(
        ("poolkeeper.db", "poolkeeper.db-wal", "poolkeeper.db-shm"), 0o600
    )
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    store.close()


def test_what_a_failed_statement_was_about_to_write_is_in_no_traceback(
    store: Store, add_cluster: AddCluster
) -> None:
    """Users' password verifiers, for one. PostgreSQL itself tells the key that is there."""
    with pytest.raises(NameTaken) as caught, store.write() as tx:
        add_cluster(tx, "of-mine")
        add_cluster(tx, "of-mine")
    told = str(caught.value.__cause__)
    assert "INSERT INTO" in told
    assert "of-mine" not in re.sub("DETAIL:.*", "", told)


def test_a_url_may_name_a_file(tmp_path: Path) -> None:
    Location(f"sqlite:///{tmp_path}/elsewhere/it.db", tmp_path).open().close()
    assert (tmp_path / "elsewhere" / "it.db").exists()


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@host/db", "sqlite://", "sqlite:///:memory:", "nonsense", "://"]
)
def test_a_url_that_cannot_be(tmp_path: Path, url: str) -> None:
    with pytest.raises(PoolkeeperError, match="store") as caught:
        Location(url, tmp_path).open()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?user=me&password=secret&sslpassword=secret",
        "mysql://host/db?password=secret",
    ],
)
def test_no_message_has_a_password_wherever_the_url_has_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(PoolkeeperError, match="store") as caught:
        Location(url, tmp_path).open()
    assert "secret" not in str(caught.value)


def test_a_place_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="Not a directory; make its directory writable"):
        Location(None, tmp_path / "file" / "state").open()


def test_what_is_not_a_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "poolkeeper.db"
    path.write_bytes(b"my diary\n" * 1000)
    with pytest.raises(Unavailable, match="not a store: restore it"):
        Location(None, tmp_path).open()
    assert path.read_bytes() == b"my diary\n" * 1000


def test_a_read_only_directory(sqlite_template: Path) -> None:
    """In a process of an account without rights: to root, nothing is read-only."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        directory = Path(name)
        shutil.copy(sqlite_template, directory / "poolkeeper.db")
        (directory / "poolkeeper.db").chmod(0o644)
        directory.chmod(0o555)
        output = _run(_fill(_OPEN, directory, before="os.geteuid() or os.setuid(65534)"))
        directory.chmod(0o755)
    assert "Unavailable" in output
    assert "nothing was applied" in output
    assert "make the file and its directory writable" in output


def test_a_full_disk(sqlite: Location, add_cluster: AddCluster) -> None:
    """A limit on the size of files stands for the disk; below it, the store works again."""
    store = sqlite.open()
    with store.write() as tx:
        cluster = add_cluster(tx)
    store.close()
    output = _run(
        _fill(_OPEN, sqlite.state_dir)
        + f"""
import resource, signal
from uuid import UUID
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.store import clusters, events
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
id = UUID({str(cluster.id)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    with store.write() as tx:
        clusters.bump_generation(tx, id)
        for _ in range(300):
            event = Event(EventKind.POOL_CREATE, "me", "web", id, {{"text": "x" * 2000}})
            events.add_event(tx, event)
except Unavailable as error:
    print("Unavailable", error, type(error.__cause__).__name__)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with store.write() as tx:
    print("generation", clusters.bump_generation(tx, id), len(events.list_events(tx)))
"""
    )
    assert "Unavailable the store" in output
    assert "nothing was applied" in output
    assert "then try again OperationalError" in output
    assert "generation 2 0" in output


def test_a_lock_that_another_process_does_not_give_back(
    location: Location, add_cluster: AddCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = location.open()
    monkeypatch.setattr(
        engines,
        "_BEGIN_POSTGRES_WRITE",
        engines._BEGIN_POSTGRES_WRITE.replace(f"{engines.WAIT_SECONDS}s", "50ms"),
    )
    monkeypatch.setattr(engines, "WAIT_SECONDS", 0.05)
    store = location.open()
    with holder.write():
        with pytest.raises(Unavailable, match="another process holds it"), store.write() as tx:
            add_cluster(tx)
        with store.read() as tx:
            assert list_cluster_ids(tx) == []
    with store.write() as tx:
        add_cluster(tx)
    store.close()
    holder.close()


def test_a_thread_that_does_not_give_back_the_writer(
    location: Location, add_cluster: AddCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "WAIT_SECONDS", 0.05)
    store = location.open()
    with store.write() as tx:
        cluster = add_cluster(tx)
        with pytest.raises(Unavailable, match="it is busy; try again"), store.write():
            pass
    with store.write() as tx:
        assert bump_generation(tx, cluster.id) == 2
    store.close()


def test_postgresql_cannot_be_reached(tmp_path: Path) -> None:
    url = f"postgresql://me:s3cret@/db?host={tmp_path}"
    with pytest.raises(Unavailable, match=r"nothing was applied.*make the server answer") as caught:
        Location(url, tmp_path).open()
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None


def test_postgresql_goes_away_and_comes_back(
    postgres: PostgresServer, postgresql: Location, add_cluster: AddCluster
) -> None:
    store = postgresql.open()
    name = _name(postgresql)
    with store.write() as tx:
        cluster = add_cluster(tx)
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    with pytest.raises(Unavailable, match="nothing was applied"), store.write() as tx:
        _terminate(postgres, name)
        bump_generation(tx, cluster.id)
    for _ in range(2):
        with pytest.raises(Unavailable), store.read() as tx:
            list_cluster_ids(tx)
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    with store.write() as tx:
        assert bump_generation(tx, cluster.id) == 2
    store.close()


def test_idle_connections_that_postgresql_closed_are_replaced_unnoticed(
    postgres: PostgresServer, postgresql: Location, add_cluster: AddCluster
) -> None:
    store = postgresql.open()
    with store.write() as tx:
        add_cluster(tx)
    _terminate(postgres, _name(postgresql))
    with store.read() as tx:
        assert len(list_cluster_ids(tx)) == 1
    with store.write() as tx:
        add_cluster(tx, "other")
    store.close()


def test_a_commit_without_an_answer_is_said_to_be_unknown(
    postgres: PostgresServer, postgresql: Location, add_cluster: AddCluster
) -> None:
    store = postgresql.open()
    with pytest.raises(Unavailable, match="may be in force or not"), store.write() as tx:
        add_cluster(tx)
        _terminate(postgres, _name(postgresql))
    with store.read() as tx:
        assert list_cluster_ids(tx) == []
    store.close()


def test_a_server_that_takes_no_writes(
    postgres: PostgresServer, postgresql: Location, add_cluster: AddCluster
) -> None:
    postgres.execute(f"ALTER DATABASE {_name(postgresql)} SET default_transaction_read_only = on")
    store = postgresql.open()
    with pytest.raises(Unavailable, match="store's URL at the primary"), store.write() as tx:
        add_cluster(tx)
    store.close()


def test_an_account_that_may_not_make_tables(postgres: PostgresServer, tmp_path: Path) -> None:
    name = postgres.create_database()
    postgres.execute(f"CREATE ROLE {name} LOGIN")
    url = postgres.url(name).replace("//postgres@", f"//{name}@")
    with pytest.raises(Unavailable, match="let its account CREATE in the database's schema"):
        Location(url, tmp_path).open()


def test_a_mistake_in_a_statement_stays_what_it_is(store: Store) -> None:
    with pytest.raises(Exception, match="nonsense") as caught, store.write() as tx:
        tx.connection.exec_driver_sql("SELECT nonsense")
    assert not isinstance(caught.value, PoolkeeperError)


_OPEN = """
import os, pathlib
from datetime import UTC, datetime
from poolkeeper.domain.errors import Unavailable
from poolkeeper.store.database import Store
from poolkeeper.store.sealing import Sealer
{before}
try:
    store = Store.open(None, pathlib.Path({directory!r}),
        now=lambda: datetime.now(UTC), sealer=Sealer({key!r}))
    with store.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM tokens")
except Unavailable as error:
    print("Unavailable", error)
"""


def _fill(script: str, directory: Path, before: str = "") -> str:
    return script.format(directory=str(directory), key=KEY, before=before)


def _run(script: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=100
    ).stdout


def _name(location: Location) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(str(location.url))["dbname"])


def _terminate(postgres: PostgresServer, database: str) -> None:
    """End the store's sessions and wait until they are gone."""
    postgres.execute(
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'"
    )
