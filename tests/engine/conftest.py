"""Real servers for the engine's tests, run as the unprivileged account where we are root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from poolkeeper.domain.errors import EngineError
from poolkeeper.engine.accounts import Account, find_account
from poolkeeper.engine.certificates import Authority, ensure_authority
from poolkeeper.engine.layout import make_state_folders
from poolkeeper.engine.postgres.binaries import Installation, find_majors
from poolkeeper.engine.postgres.connections import Connection
from poolkeeper.engine.processes import Processes
from tests.engine.servers import Postgres
from tests.plane import find_free_ports

# The setting of the control plane, so that other majors than the system's can be tried as well.
_PREFIXES = os.environ.get("POOLKEEPER_POSTGRES_PREFIXES", "/usr/lib/postgresql").split(":")
INSTALLATIONS = find_majors([Path(prefix) for prefix in _PREFIXES])


@pytest.fixture(scope="session")
def account() -> Account | None:
    """The account of the servers: ours, else that of the system's PostgreSQL packages."""
    for name in ("poolkeeper", "postgres"):
        try:
            return find_account(name)
        except EngineError:
            continue
    pytest.fail("root needs an account for PostgreSQL: run scripts/setup")


@pytest.fixture(scope="session")
def state(account: Account | None) -> Iterator[Path]:
    """A state directory; short, because the paths of Unix sockets must be."""
    outer = Path(tempfile.mkdtemp(prefix="pk-", dir="/tmp"))
    outer.chmod(0o711)
    make_state_folders(outer / "s", account)
    yield outer / "s"
    shutil.rmtree(outer, ignore_errors=True)


@pytest.fixture
def folder(state: Path, account: Account | None) -> Iterator[Path]:
    """A folder that belongs to the account."""
    made = Path(tempfile.mkdtemp(dir=state))
    if account:
        os.chown(made, account.uid, account.gid)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def processes(account: Account | None) -> Processes:
    return Processes(account)


@pytest.fixture(scope="session")
def authority(state: Path) -> Authority:
    return ensure_authority(state / "ca", now=datetime.now(UTC))


@pytest.fixture(
    scope="session",
    params=INSTALLATIONS or [None],
    ids=[f"pg{found.major}" for found in INSTALLATIONS] or ["none"],
)
def installation(request: pytest.FixtureRequest) -> Installation:
    """Every installed major, one after the other."""
    if request.param is None:
        pytest.fail("no PostgreSQL server is installed: run scripts/setup")
    found: Installation = request.param
    return found


@pytest.fixture(scope="session")
def postgres(
    state: Path, installation: Installation, processes: Processes, authority: Authority
) -> Iterator[Postgres]:
    """A running server with its users and ``defaultdb``; tests leave it as they found it."""
    made = Postgres(state, installation, processes, authority, find_free_ports(2))
    made.initialise()
    made.start()
    made.apply()
    yield made
    made.destroy()


@pytest.fixture(scope="module")
def mortal(
    state: Path, installation: Installation, processes: Processes, authority: Authority
) -> Iterator[Postgres]:
    """A server that is initialised and not started; a module's tests may do anything to it."""
    made = Postgres(state, installation, processes, authority, find_free_ports(2))
    made.initialise()
    yield made
    made.destroy()


@pytest.fixture
def superuser(postgres: Postgres) -> Iterator[Connection]:
    with postgres.superuser() as connection:
        yield connection


@pytest.fixture
def doadmin(postgres: Postgres) -> Iterator[psycopg.Connection]:
    with postgres.login("doadmin") as connection:
        yield connection
