"""What the panel gives people to copy is run as it stands, against real servers."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psycopg
import pytest
from psycopg import sql

from poolkeeper.domain.connections import Connection
from poolkeeper.domain.pools import PoolMode
from poolkeeper.panel.connection_details import describe_connection
from tests.plane import Plane, connect

# Every kind of character that a shell, a URI, Python or libpq would take for its own.
ODD = "p\"w'd $(x) `y` \\ %&@:/?#[]= 1 ; é"
DRIVERS = ("psycopg", "sqlalchemy", "asyncpg")


@pytest.fixture(scope="module")
def pools(api: httpx.Client, cluster: Mapping[str, Any]) -> Mapping[str, Connection]:
    """A pool of each mode, and the direct connection."""
    path = f"/v2/databases/{cluster['id']}"
    found = {"direct": read(cluster["connection"])}
    for mode in PoolMode:
        body = {"name": mode.value, "mode": mode, "size": 2, "db": "defaultdb", "user": "doadmin"}
        answer = api.post(f"{path}/pools", json=body)
        assert answer.status_code == 201, answer.text
        found[mode.value] = read(answer.json()["pool"]["connection"])
    return found


@pytest.fixture
def beside_ca(tmp_path: Path, plane: Plane) -> Path:
    """A folder with the authority's certificate, as it is downloaded."""
    shutil.copy(plane.ca, tmp_path / "poolkeeper-ca.crt")
    return tmp_path


def read(given: Mapping[str, Any]) -> Connection:
    return Connection(
        given["host"], given["port"], given["database"], given["user"], given["password"]
    )


def get_text(connection: Connection, mode: PoolMode | None, key: str) -> str:
    details = describe_connection(connection, mode)
    [text] = [each.text for each in (*details.formats, *details.snippets) if each.key == key]
    return text


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["direct", *PoolMode])
@pytest.mark.parametrize("driver", DRIVERS)
def test_every_python_snippet_connects(
    pools: Mapping[str, Connection], beside_ca: Path, name: str, driver: str
) -> None:
    mode = None if name == "direct" else PoolMode(name)
    code = get_text(pools[name], mode, driver)
    said = run([sys.executable, "-c", code], beside_ca)
    assert "doadmin" in said and "defaultdb" in said


@pytest.mark.parametrize("name", ["direct", *PoolMode])
@pytest.mark.parametrize("key", ["flags", "string"])
def test_psql_connects(
    pools: Mapping[str, Connection], beside_ca: Path, name: str, key: str
) -> None:
    text = get_text(pools[name], None, key)
    line = text if key == "flags" else f"psql '{text}'"
    query = "select current_user, (select ssl from pg_stat_ssl where pid = pg_backend_pid())"
    said = run(["sh", "-c", f'{line} -X -A -t -c "{query}"'], beside_ca)
    assert said.startswith("doadmin|")


def test_another_authority_is_not_believed(
    pools: Mapping[str, Connection], beside_ca: Path, cluster: Mapping[str, Any]
) -> None:
    key, certificate = beside_ca / "other.key", beside_ca / "poolkeeper-ca.crt"
    run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=other"),
        ],
        beside_ca,
    )
    line = get_text(pools["transaction"], PoolMode.TRANSACTION, "flags")
    with pytest.raises(AssertionError, match="certificate verify failed"):
        run(["sh", "-c", f"{line} -c 'select 1'"], beside_ca)


@pytest.mark.parametrize("key", [*DRIVERS, "flags"])
def test_an_odd_password_arrives_as_it_is(
    pools: Mapping[str, Connection], beside_ca: Path, cluster: Mapping[str, Any], key: str
) -> None:
    role = f"odd.{key}-1"
    direct = pools["direct"]
    with connect(cluster["connection"]["uri"]) as owner:
        name = sql.Identifier(role)
        owner.execute(sql.SQL("create role {} login password {}").format(name, ODD))
    theirs = Connection(direct.host, direct.port, direct.database, role, ODD)
    text = get_text(theirs, None, key)
    if key == "flags":
        said = run(["sh", "-c", f"{text} -X -A -t -c 'select current_user'"], beside_ca)
    else:
        said = run([sys.executable, "-c", text], beside_ca)
    assert role in said


def test_psycopg_prepares_and_forgets_statements_in_a_transaction_pool(
    pools: Mapping[str, Connection], plane: Plane
) -> None:
    """As the notes say: with libpq 17 nothing needs to be turned off."""
    assert psycopg.capabilities.has_send_close_prepared()
    uri = get_text(pools["transaction"], PoolMode.TRANSACTION, "string")
    uri = uri.replace("poolkeeper-ca.crt", str(plane.ca))
    with connect(uri) as one, connect(uri) as other:
        # More than psycopg keeps (100), so that it has to give up some; on two backends by turns.
        for number in range(300):
            for connection in (one, other):
                with connection.transaction():
                    query = f"select {number % 150} + %s"
                    row = connection.execute(query, [1], prepare=True).fetchone()
                    assert row == (number % 150 + 1,)


def test_asyncpg_keeps_its_cache_in_a_transaction_pool(
    pools: Mapping[str, Connection], plane: Plane
) -> None:
    uri = get_text(pools["transaction"], PoolMode.TRANSACTION, "string")
    uri = uri.replace("poolkeeper-ca.crt", str(plane.ca))

    async def work() -> None:
        async with asyncpg.create_pool(uri, min_size=3, max_size=3) as clients:

            async def ask(number: int) -> None:
                value = number % 150
                assert await clients.fetchval(f"select {value} + $1::int", 1) == value + 1

            for first in range(0, 450, 3):
                await asyncio.gather(*(ask(first + step) for step in range(3)))

    asyncio.run(work())


def test_a_schema_given_at_login_is_not_to_be_relied_on(
    pools: Mapping[str, Connection], plane: Plane
) -> None:
    """Why the notes for JDBC (currentSchema) and Prisma (?schema=) say: leave it away."""
    uri = get_text(pools["transaction"], PoolMode.TRANSACTION, "string")
    uri = uri.replace("poolkeeper-ca.crt", str(plane.ca))
    shown = []
    with connect(uri, options="-c search_path=one") as one:
        for schema in ("two", "three", "two", "three"):
            with connect(uri, options=f"-c search_path={schema}") as other:
                other.execute("select 1")
                shown.append(one.execute("show search_path").fetchone())
    assert shown != [("one",)] * 4
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
        connect(uri, options="-c statement_timeout=5000").close()
