"""Clusters as their users get them: created, used, deleted, and what they keep to themselves."""

from __future__ import annotations

import base64
import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from sqlalchemy import update

from poolkeeper.store import schema
from tests.e2e.inside import Inside
from tests.e2e.mortal import ask_for_cluster, await_converged, list_server_pids, open_parts
from tests.e2e.service import Service, fails_with, log_in_as
from tests.killed import MortalPlane
from tests.plane import Plane, connect, create_cluster, halted, running_plane, wait_until

NEVER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def service(api: httpx.Client, cluster: Mapping[str, Any]) -> Service:
    return Service(api, cluster)


@pytest.fixture(scope="module")
def inside(plane: Plane, cluster: Mapping[str, Any]) -> Inside:
    return Inside(plane, cluster["id"])


@pytest.fixture(scope="module")
def ca(api: httpx.Client, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that a client makes of what ``GET …/ca`` returns."""
    encoded = api.get(f"{service.address}/ca").json()["ca"]["certificate"]
    path = tmp_path_factory.mktemp("ca") / "ca.crt"
    path.write_bytes(base64.b64decode(encoded, validate=True))
    return path


@pytest.fixture(scope="module")
def owner(api: httpx.Client, service: Service) -> Iterator[psycopg.Connection[Any]]:
    """doadmin, connected directly."""
    with connect(read_uri(service)) as connection:
        yield connection


def test_a_cluster_is_created_step_by_step(api: httpx.Client) -> None:
    answer = ask_for_cluster(api, "step-by-step")
    assert answer.status_code == 201
    created = answer.json()["database"]
    assert created["status"] == "creating"
    address = f"/v2/databases/{created['id']}"
    refused = api.post(f"{address}/dbs", json={"name": "too-early"})
    steps = []

    def is_online() -> bool:
        standing = api.get(f"/v1/clusters/{created['id']}").json()["cluster"]
        if standing["step"] and standing["step"] not in steps:
            steps.append(standing["step"])
            assert (standing["phase"], standing["reason"]) == ("creating", standing["step"])
        return bool(api.get(address).json()["database"]["status"] == "online")

    wait_until("it is online", is_online)
    # The call waited for the cluster, or said that it is too early; nothing else.
    assert refused.status_code in (201, 503), refused.text
    order = ["preparing files", "initialising the data directory", "starting PostgreSQL"]
    order.append("starting PgBouncer")
    assert steps == [step for step in order if step in steps]
    online = api.get(address).json()["database"]
    assert online == created | {
        "status": "online",
        "db_names": online["db_names"],
        "users": online["users"],
    }
    assert [user["name"] for user in online["users"]] == ["doadmin"]
    kinds = {each["kind"] for each in list_events(api, created["id"])}
    assert {"cluster_create", "cluster_online"} <= kinds
    assert ask_for_cluster(api, "step-by-step").status_code == 422
    assert api.delete(address).status_code == 204


def test_unknown_clusters_are_not_found(api: httpx.Client) -> None:
    for method in ("GET", "DELETE"):
        assert api.request(method, f"/v2/databases/{NEVER}").status_code == 404


def test_every_installed_major_runs_beside_the_others(
    api: httpx.Client, service: Service, cluster: Mapping[str, Any]
) -> None:
    options = api.get("/v2/databases/options").json()["options"]["pg"]
    beside = [
        create_cluster(api, f"major-{version}", version=version) for version in options["versions"]
    ]
    assert beside
    ports = {cluster["connection"]["port"]}
    for other in beside:
        port = other["connection"]["port"]
        assert port % 2 == cluster["connection"]["port"] % 2
        assert port not in ports
        ports.add(port)
        own = Service(api, other)
        assert own.create_pool("own-pool").partition("@")[2].startswith(f"127.0.0.1:{port + 1}/")
        with connect(read_uri(own)) as connection:
            row = connection.execute("SHOW server_version_num").fetchone()
            assert row is not None and int(row[0]) // 10000 == int(other["version"])
            connection.execute("CREATE TABLE only_here ()")
    with connect(read_uri(service)) as connection:
        row = connection.execute("SELECT to_regclass('only_here')").fetchone()
        assert row == (None,)
    listed = [each["id"] for each in api.get("/v2/databases").json()["databases"]]
    assert {cluster["id"], *(other["id"] for other in beside)} <= set(listed)
    for other in beside:
        assert api.delete(f"/v2/databases/{other['id']}").status_code == 204
    assert api.get(service.address).json()["database"]["status"] == "online"


@pytest.mark.parametrize(
    ("setting", "value"),
    {
        "max_connections": "25",
        "superuser_reserved_connections": "3",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "password_encryption": "scram-sha-256",
        "ssl": "on",
        "ssl_min_protocol_version": "TLSv1.2",
        "shared_preload_libraries": "pg_stat_statements",
        "wal_level": "logical",
        "timezone": "UTC",
    }.items(),
)
def test_settings(inside: Inside, setting: str, value: str) -> None:
    with inside.connect() as connection:
        row = connection.execute("SELECT current_setting(%s)", (setting,)).fetchone()
    assert row == (value,)


def test_max_connections_follow_the_size(api: httpx.Client, plane: Plane) -> None:
    larger = create_cluster(api, "larger", size="db-s-1vcpu-2gb")
    with Inside(plane, larger["id"]).connect() as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("50",)
    assert Service(api, larger).read_cluster()["budget"]["total"] == 47
    assert api.delete(f"/v2/databases/{larger['id']}").status_code == 204


@pytest.mark.parametrize("way", ["direct", "pool"])
def test_tls_is_asked_for_and_verified(service: Service, ca: Path, way: str) -> None:
    with contextlib.ExitStack() as used:
        uri = read_uri(service) if way == "direct" else used.enter_context(service.pool("tls-pool"))
        bare = uri.partition("?")[0]
        verified = f"{bare}?sslmode=verify-full&sslrootcert={ca}"
        with connect(verified) as connection:
            assert connection.pgconn.ssl_in_use
        by_name = verified.replace("@127.0.0.1:", "@localhost:")
        connect(by_name).close()
        assert fails_with(lambda: connect(f"{bare}?sslmode=disable"))
        foreign = ca.with_name("foreign.crt")
        foreign.write_bytes(Path(ssl_bundle()).read_bytes())
        message = fails_with(lambda: connect(f"{bare}?sslmode=verify-full&sslrootcert={foreign}"))
        assert "certificate verify failed" in message


def test_the_superuser_stays_at_home(service: Service, inside: Inside) -> None:
    uri = log_in_as(read_uri(service), "poolkeeper", inside._desired.superuser_password)
    assert "pg_hba.conf rejects connection" in fails_with(lambda: connect(uri))


def test_doadmin_rules_its_cluster_and_no_more(owner: psycopg.Connection[Any]) -> None:
    row = owner.execute(
        "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row == (False, True, True)
    row = owner.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'defaultdb'"
    ).fetchone()
    assert row == ("doadmin",)
    owner.execute("CREATE ROLE helper LOGIN")
    owner.execute("CREATE DATABASE helped")
    owner.execute("DROP DATABASE helped")
    owner.execute("DROP ROLE helper")
    for forbidden in (
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/forbidden'",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER ROLE doadmin SUPERUSER",
        "ALTER ROLE poolkeeper PASSWORD 'mine'",
        "GRANT pg_execute_server_program TO doadmin",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "SELECT rolpassword FROM pg_authid",
    ):
        with pytest.raises(psycopg.Error):
            owner.execute(forbidden)


def test_statements_are_counted(owner: psycopg.Connection[Any]) -> None:
    owner.execute("SELECT 4711 AS counted")
    row = owner.execute(
        "SELECT calls FROM pg_stat_statements WHERE query = 'SELECT $1 AS counted'"
    ).fetchone()
    assert row is not None and row[0] >= 1


@pytest.mark.parametrize("name", ["plain", "With-Hyphen", "UPPER", "0.9_beta", "select"])
def test_a_database_lives_and_dies(api: httpx.Client, service: Service, name: str) -> None:
    address = f"{service.address}/dbs"
    created = api.post(address, json={"name": name})
    assert (created.status_code, created.json()) == (201, {"db": {"name": name}})
    assert api.post(address, json={"name": name}).status_code == 422
    assert api.get(f"{address}/{name}").json() == {"db": {"name": name}}
    assert name in [db["name"] for db in api.get(address).json()["dbs"]]
    pool_uri = service.create_pool("uses-it", db=name)
    refused = api.delete(f"{address}/{name}")
    assert refused.status_code == 422
    assert "uses-it" in refused.json()["message"]
    with connect(pool_uri) as client:
        assert client.execute("SELECT current_database()").fetchone() == (name,)
    service.delete_pool("uses-it")
    service.await_free("uses-it")
    # Whoever is in it is no reason to keep it.
    with connect(read_uri(service, name)) as client:
        client.execute("CREATE TABLE filled AS SELECT 1")
        assert api.delete(f"{address}/{name}").status_code == 204
    assert api.get(f"{address}/{name}").status_code == 404
    assert "does not exist" in fails_with(lambda: connect(read_uri(service, name)))
    assert api.delete(f"{address}/{name}").status_code == 404


@pytest.mark.parametrize("name", ["plain", "With-Hyphen", "UPPER", "user.name", "all-users"])
def test_a_user_lives_and_dies(
    api: httpx.Client, service: Service, owner: psycopg.Connection[Any], name: str
) -> None:
    address = f"{service.address}/users"
    created = api.post(address, json={"name": name})
    assert created.status_code == 201
    user = created.json()["user"]
    assert (user["name"], user["role"]) == (name, "normal")
    assert api.post(address, json={"name": name}).status_code == 422
    assert api.get(f"{address}/{name}").json() == {"user": user}
    pool_uri = service.create_pool("is-used", user=name)
    refused = api.delete(f"{address}/{name}")
    assert refused.status_code == 422
    assert "is-used" in refused.json()["message"]
    with connect(pool_uri) as client:
        assert client.execute("SELECT current_user").fetchone() == (name,)
    service.delete_pool("is-used")
    service.await_free("is-used")
    fresh = service.reset_auth(name)
    assert fresh != user["password"]
    direct = log_in_as(read_uri(service), name, fresh)
    old = log_in_as(read_uri(service), name, user["password"])
    assert "password authentication failed" in fails_with(lambda: connect(old))
    owner.execute(f'CREATE SCHEMA AUTHORIZATION "{name}"')
    with connect(direct) as client:
        client.execute(f'CREATE TABLE "{name}".kept AS SELECT 42 AS answer')
    assert api.delete(f"{address}/{name}").status_code == 204
    assert api.get(f"{address}/{name}").status_code == 404
    assert "password authentication failed" in fails_with(lambda: connect(direct))
    assert owner.execute(f'SELECT answer FROM "{name}".kept').fetchone() == (42,)
    owner.execute(f'DROP SCHEMA "{name}" CASCADE')


def test_what_belongs_to_every_cluster_stays(api: httpx.Client, service: Service) -> None:
    for address in ("dbs/defaultdb", "users/doadmin"):
        refused = api.delete(f"{service.address}/{address}")
        assert refused.status_code == 422, refused.text
        assert "belongs to every cluster" in refused.json()["message"]
    connect(read_uri(service)).close()


def test_a_deleted_cluster_is_gone_at_once_and_its_data_is_kept() -> None:
    """Where no other cluster is, whose ports may become free at any moment."""
    with running_plane("--empty") as plane, plane.client() as api:
        delete_and_succeed(plane, api)


def delete_and_succeed(plane: Plane, api: httpx.Client) -> None:
    first = create_cluster(api, "short-lived")
    service = Service(api, first)
    uris = [read_uri(service), service.create_pool("short-pool")]
    inside = Inside(plane, first["id"])
    assert list_server_pids(plane, first["id"]).keys() == {"PgBouncer", "PostgreSQL"}
    with halted(inside.read_pid()):  # its server takes its time to stop
        assert api.delete(service.address).status_code == 204
        # From now on there is no such cluster, and the name is free.
        assert api.get(service.address).status_code == 404
        assert api.get(f"{service.address}/pools").status_code == 404
        assert api.delete(service.address).status_code == 404
        second = create_cluster(api, "short-lived")
    assert second["id"] != first["id"]
    wait_until("its servers stop", lambda: not list_server_pids(plane, first["id"]))
    for uri in uris:
        assert fails_with(lambda uri=uri: connect(uri))
    assert (inside.paths.data / "PG_VERSION").exists()
    assert (inside.paths.root / "name").read_text() == "short-lived\n"
    wait_until("its sockets are gone", lambda: not inside.paths.run.exists())
    kinds = [event["kind"] for event in list_events(api, first["id"])]
    assert kinds[0] == "cluster_delete"
    # Its ports are the next cluster's.
    port = first["connection"]["port"]
    wait_until("it is written down that it has stopped", lambda: preview_port(api) == port)
    third = create_cluster(api, "next-in-line")
    assert third["connection"]["port"] == port
    with connect(Service(api, third).create_pool("next-pool")) as client:
        assert client.execute("SELECT 1").fetchone() == (1,)


def preview_port(api: httpx.Client) -> int:
    """The port that the next cluster would get."""
    cluster = ask_for_cluster(api, "next-in-line", dry_run=True).json()["database"]
    port: int = cluster["connection"]["port"]
    return port


def test_data_goes_when_its_time_is_over() -> None:
    """With an heir on the same ports, which must not feel it."""
    plane = MortalPlane()
    try:
        plane.start("--empty")
        with plane.client() as api:
            dead = create_cluster(api, "dead")["id"]
            folder = plane.home / "clusters" / dead
            assert api.delete(f"/v2/databases/{dead}").status_code == 204
            wait_until("its servers stop", lambda: not list_server_pids(plane, dead))
            heir = Service(api, create_cluster(api, "heir"))
            uri = heir.create_pool("heir-pool")
            pids = list_server_pids(plane, heir.id)
        plane.kill()
        assert folder.exists()
        with open_parts(plane) as parts, parts.store.write() as tx:
            table = schema.clusters
            change = update(table).where(table.c.id == UUID(dead))
            tx.connection.execute(change.values(deleted_at=tx.now - timedelta(days=7)))
        with connect(uri) as client:
            plane.start("--empty")
            wait_until("the data is gone", lambda: not folder.exists())
            with plane.client() as api:
                await_converged(api, heir.id)
                wait_until("it is said", lambda: list_events(api, dead)[0]["kind"] == REMOVED)
            assert client.execute("SELECT 1").fetchone() == (1,)
        assert list_server_pids(plane, heir.id) == pids
    except BaseException:
        print(plane.logs())
        raise
    finally:
        plane.destroy()


REMOVED = "cluster_removed"


def test_the_state_is_for_its_owners_eyes(plane: Plane, service: Service) -> None:
    """Root's folders may be passed through by the servers' account, and nobody else's."""
    with service.pool("any-pool"):
        as_root = os.geteuid() == 0
        for path in (plane.home, plane.home / "clusters", plane.home / "run"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o710 if as_root else 0o700), path
        for path in plane.list_paths():
            try:
                found = path.lstat().st_mode
            except FileNotFoundError:  # the servers make and remove files all the time
                continue
            mode = stat.S_IMODE(found)
            if path.name == "ca.crt" and path.parent.name == "ca":
                assert mode == 0o644
            elif path.parent not in (plane.home, plane.home / "clusters", plane.home / "run"):
                assert not mode & 0o077 or stat.S_ISSOCK(found), f"{path}: {mode:o}"
            else:
                assert not mode & 0o067, f"{path}: {mode:o}"


def test_no_secret_is_written_down(api: httpx.Client, plane: Plane, service: Service) -> None:
    """After a whole story, none stands in a log, in a file, or in a command line."""
    service.create_database("told")
    passwords = {service.create_user("teller"), service.reset_auth("teller")}
    with service.pool("told-pool", db="told", user="teller", mode="session") as uri:
        with connect(uri) as client:
            client.execute("CREATE TEMPORARY TABLE story AS SELECT 1")
        assert fails_with(lambda: connect(log_in_as(uri, "teller", "wrong-password")))
        service.change_pool("told-pool", size=1)
    token = api.post("/v1/tokens", json={"name": "told", "scopes": ["admin"]}).json()["token"]
    with plane.client(token["value"]) as other:
        assert other.get("/v2/databases").is_success
    with plane.client("0" * 64) as stranger:
        assert stranger.get("/v2/databases").status_code == 401
    passwords |= {read_password(service), token["value"], plane.token}
    passwords |= read_own_passwords(plane, service.id)
    assert all(len(password) >= 24 for password in passwords)
    for path in plane.list_paths():
        if path.is_file() and path != plane.home / "token":
            # The servers make and remove files all the time.
            with contextlib.suppress(FileNotFoundError):
                content = path.read_bytes()
                assert not [each for each in passwords if each.encode() in content], path
    for pid in plane.list_servers():
        with contextlib.suppress(OSError):
            told = Path(f"/proc/{pid}/cmdline").read_bytes()
            told += Path(f"/proc/{pid}/environ").read_bytes()
            assert not [each for each in passwords if each.encode() in told]


def read_uri(service: Service, database: str = "defaultdb") -> str:
    """The direct URI, for another database of the cluster."""
    uri = str(service.api.get(service.address).json()["database"]["connection"]["uri"])
    return uri.replace("/defaultdb?", f"/{database}?")


def read_password(service: Service) -> str:
    answer = service.api.get(f"{service.address}/users/doadmin")
    return str(answer.json()["user"]["password"])


def read_own_passwords(plane: Plane, cluster_id: str) -> set[str]:
    """Those that the control plane keeps for itself."""
    desired = Inside(plane, cluster_id)._desired
    return {desired.superuser_password, desired.console_password}


def list_events(api: httpx.Client, cluster_id: str) -> list[dict[str, Any]]:
    """Newest first."""
    found: list[dict[str, Any]] = api.get("/v1/events", params={"cluster_id": cluster_id}).json()[
        "events"
    ]
    return found


def ssl_bundle() -> str:
    import certifi

    return certifi.where()
