"""Stores to test with: SQLite files, and databases of a real PostgreSQL started for the session."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from locations import Location, PostgresServer

from poolkeeper.domain.clusters import Cluster, ClusterRequest, Ports
from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.sizes import parse_size
from poolkeeper.domain.users import Role, User
from poolkeeper.store import engines
from poolkeeper.store.clusters import insert_cluster
from poolkeeper.store.database import Store, Transaction


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """Twenty that write one after the other may take a slow disk longer than one may wait."""
    begin = engines._BEGIN_POSTGRES_WRITE.replace(f"{engines.WAIT_SECONDS}s", "60s")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "WAIT_SECONDS", 60)
        patch.setattr(engines, "_BEGIN_POSTGRES_WRITE", begin)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=_major)
    if programs is None:
        pytest.fail("no PostgreSQL server in /usr/lib/postgresql: run scripts/setup")
    account = _choose_account()
    directory = Path(tempfile.mkdtemp(prefix="poolkeeper-store-", dir="/tmp"))
    shutil.chown(directory, account)
    data, log = directory / "data", directory / "log"

    def run(program: str, *arguments: str) -> None:
        user = account if os.geteuid() == 0 else None
        command = [str(programs / program), "-D", str(data), *arguments]
        try:
            subprocess.run(
                command, user=user, cwd="/", check=True, capture_output=True, timeout=100
            )
        except subprocess.CalledProcessError as error:
            tail = log.read_text() if log.exists() else ""
            pytest.fail(f"{program}: {error.stdout.decode()}{error.stderr.decode()}{tail}")

    try:
        run("initdb", "--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8")
        options = f"-k {directory} -c listen_addresses= -c fsync=off -c autovacuum=off"
        # Its output goes to a file: else the pipe stays open as long as the server runs.
        run("pg_ctl", "start", "--wait", "--log", str(log), "--options", options)
        yield PostgresServer(directory)
    finally:
        if (data / "postmaster.pid").exists():
            run("pg_ctl", "stop", "--mode=immediate", "--wait")
        shutil.rmtree(directory)


def _major(programs: Path) -> float:
    return float(programs.parent.name)


def _choose_account() -> str:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return getpass.getuser()
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "poolkeeper" if "poolkeeper" in names else "postgres"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store at head; a copy of it is faster than a new one."""
    location = Location(None, tmp_path_factory.mktemp("template"))
    location.open().close()
    return location.state_dir / "poolkeeper.db"


@pytest.fixture(scope="session")
def postgres_store(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Location, Store]]:
    """A store at head; emptying it is faster than making a new one."""
    url = postgres.url(postgres.create_database())
    location = Location(url, tmp_path_factory.mktemp("unused"))
    store = location.open()
    yield location, store
    store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """A store at head, nothing in it."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        shutil.copy(template, tmp_path)
        return Location(None, tmp_path)
    location, store = request.getfixturevalue("postgres_store")
    with store.write() as tx:
        for table in ("clusters", "events", "tags", "tokens"):
            tx.connection.exec_driver_sql(f"DELETE FROM {table}")
    return Location(location.url, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Where no store has been yet."""
    if request.param == "sqlite":
        return Location(None, tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres")
    return Location(server.url(server.create_database()), tmp_path)


@pytest.fixture
def store(request: pytest.FixtureRequest, location: Location) -> Iterator[Store]:
    if location.url is not None:
        yield request.getfixturevalue("postgres_store")[1]
        return
    store = location.open()
    yield store
    store.close()


AddCluster = Callable[..., Cluster]


@pytest.fixture
def add_cluster() -> AddCluster:
    """Adds a cluster to a transaction; the details do not matter to who calls it."""
    ports = count(25060, 2)

    def add(tx: Transaction, name: str = "main", *, tags: tuple[str, ...] = ()) -> Cluster:
        request = ClusterRequest(
            name, "17", parse_size("db-s-1vcpu-1gb"), "nyc1", storage_size_mib=10240, tags=tags
        )
        return insert_cluster(
            tx,
            uuid4(),
            request,
            ports=Ports(next(ports)),
            superuser_password="superuser's",
            console_password="console's",
            private_network_uuid=str(UUID(int=7)),
            project_id=str(UUID(int=8)),
        )

    return add


@pytest.fixture
def shape() -> PoolShape:
    return PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 10)


@pytest.fixture
def user() -> User:
    return User("app", Role.NORMAL, "pass wörd", "SCRAM-SHA-256$…", generation=1)


@pytest.fixture
def race() -> Callable[[Callable[[int], object]], list[object]]:
    """Runs something in 20 threads at the same moment; returns results and exceptions."""

    def run(action: Callable[[int], object]) -> list[object]:
        start = threading.Barrier(20)

        def attempt(number: int) -> object:
            start.wait(timeout=60)
            try:
                return action(number)
            except Exception as error:
                return error

        with ThreadPoolExecutor(20) as threads:
            return list(threads.map(attempt, range(20)))

    return run
