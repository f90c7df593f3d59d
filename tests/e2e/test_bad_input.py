"""Hostile and hasty users against the real server.

The table of wrong bodies is in tests/api; here is what needs TLS, sockets, PostgreSQL,
PgBouncer or a start.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from poolkeeper.control_plane.http_guard import MAX_HEAD_BYTES
from poolkeeper.control_plane.wiring import now
from poolkeeper.engine.certificates import ensure_authority
from tests.e2e.inside import Inside
from tests.e2e.service import Service
from tests.plane import Plane, connect, create_cluster, wait_until

Json = Mapping[str, Any]

CLUSTER = {"engine": "pg", "num_nodes": 1, "size": "db-s-1vcpu-1gb", "region": "nyc1"}
UNKNOWN = "2f1ab7b1-51a5-4ee4-9f7c-0c7f0f4a3f0e"
SHAPE = {"mode": "transaction", "size": 1, "db": "defaultdb", "user": "doadmin"}


@pytest.fixture(scope="module")
def service(api: httpx.Client, cluster: Json) -> Service:
    return Service(api, cluster)


@pytest.fixture(scope="module")
def inside(plane: Plane, service: Service) -> Inside:
    return Inside(plane, service.id)


def refuse(answer: httpx.Response, status: int, message: str) -> None:
    """It must be that refusal, said on one line."""
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert message in problem["message"]
    assert "\n" not in problem["message"]
    assert problem["request_id"] == answer.headers["x-request-id"]


# -- starting ----------------------------------------------------------------------------------


@pytest.fixture
def unborn() -> Iterator[Plane]:
    """A plane that was never started; whatever came of it is gone after."""
    plane = Plane()
    try:
        yield plane
    finally:
        plane.destroy()


def fail_to_start(plane: Plane, *flags: str) -> str:
    """The one line that ``poolkeeper up`` must end with. No server may have been started."""
    done = plane.run("up", *flags, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    progress, *errors = done.stderr.splitlines()
    if progress.startswith("Error: "):
        errors.insert(0, progress)
    assert len(errors) == 1, done.stderr
    assert not re.search(r"Errno|Error\(|Path\(|Traceback", errors[0])
    assert plane.list_servers() == []
    return errors[0]


@contextlib.contextmanager
def held(*ports: int) -> Iterator[None]:
    """Ports that something else, this process, listens on."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", port)))
            listener.listen()
        yield


def write_program(folder: Path, text: str) -> Path:
    path = folder / "pgbouncer"
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("flags", [(), ("--detach",)], ids=["here", "detached"])
def test_a_taken_port_is_told_with_its_holder(unborn: Plane, flags: tuple[str, ...]) -> None:
    holder = f"pid {os.getpid()} ({Path('/proc/self/comm').read_text().strip()})"
    with held(unborn.api_port):
        assert fail_to_start(unborn, "--empty", *flags) == (
            f"Error: the API cannot listen on 127.0.0.1 port {unborn.api_port}: {holder} has it;"
            " stop that, or choose another port with --api-port"
        )


def test_an_address_of_another_machine(unborn: Plane) -> None:
    assert fail_to_start(unborn, "--empty", "--listen", "203.0.113.7") == (
        f"Error: the API cannot listen on 203.0.113.7 port {unborn.api_port}:"
        " this machine does not have that address; choose another with --listen"
    )


def test_a_second_start_names_the_first(plane: Plane) -> None:
    assert plane.process is not None
    before = plane.list_servers()
    done = plane.run("up", "--empty", check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        f"Error: process {plane.process.pid} already runs Poolkeeper on {plane.home};"
        " stop it with `poolkeeper down`, or choose another --state-dir",
    )
    assert plane.list_servers() == before
    with plane.client() as client:
        assert client.get("/v1/health").is_success


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "a file is in its place"),
        ("file/below", "a file is in its place"),
        ("/sys/poolkeeper", "(Operation not permitted|Permission denied|Read-only file system)"),
    ],
)
def test_a_state_folder_that_cannot_be(unborn: Plane, place: str, reason: str) -> None:
    (unborn.state / "file").write_text("mine")
    path = unborn.state / place
    assert re.fullmatch(
        rf"Error: cannot keep the state in {path}: {reason}; choose another folder with"
        " --state-dir",
        fail_to_start(unborn, "--empty", "--state-dir", str(path)),
    )
    assert (unborn.state / "file").read_text() == "mine"


def test_a_state_folder_that_cannot_be_detached(unborn: Plane) -> None:
    path = unborn.state / "file"
    path.write_text("mine")
    error = fail_to_start(unborn, "--empty", "--detach", "--state-dir", str(path))
    assert (
        error == f"Error: cannot write to {path}/logs: Not a directory; choose another --state-dir"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "#!/bin/sh\necho PgBouncer 1.18.0\n",
            "{path} is PgBouncer 1.18.0; 1.24 or newer is needed: run scripts/install-pgbouncer,"
            " or install PGDG's package, or name one by --pgbouncer",
        ),
        (
            "#!/bin/sh\necho something else\n",
            "{path} is no PgBouncer, it says 'something else'; name another by --pgbouncer",
        ),
        (
            "\x7fELF",
            "{path} cannot be run: Exec format error; name another by --pgbouncer",
        ),
        (
            None,
            "wrong setting: pgbouncer: {path} is not a program; give PgBouncer's path, or leave it"
            " out to have it searched",
        ),
    ],
    ids=["too old", "something else", "broken", "missing"],
)
def test_no_pgbouncer_that_will_do(unborn: Plane, text: str | None, reason: str) -> None:
    path = unborn.state / "pgbouncer"
    if text is not None:
        write_program(unborn.state, text)
    error = fail_to_start(unborn, "--pgbouncer", str(path))
    assert error == "Error: " + reason.format(path=path)
    assert not (unborn.home / "token").exists()


def test_no_postgresql(unborn: Plane) -> None:
    (unborn.state / "none").mkdir()
    unborn.environment["POOLKEEPER_POSTGRES_PREFIXES"] = str(unborn.state / "none")
    advice = (
        "no PostgreSQL server is installed on this host: install the package postgresql, or say"
        " with --postgres-prefixes where one is"
    )
    assert fail_to_start(unborn) == f"Error: {advice}"
    # Without a first cluster there is something to talk to, and it says the same.
    unborn.start("--empty")
    with unborn.client() as client:
        assert client.get("/v2/databases/options").json()["options"]["pg"]["versions"] == []
        body = {"name": "main", **CLUSTER}
        refuse(client.post("/v2/databases", json=body), 422, advice)
        assert client.get("/v2/databases").json() == {"databases": []}


def test_all_wrong_settings_are_told_at_once(unborn: Plane) -> None:
    done = unborn.run(
        "up", "--api-port", "99999", "--listen", "here", "--log-level", "loud", check=False
    )
    assert done.returncode == 1
    first, *problems = done.stderr.splitlines()
    assert first == "Error: 3 wrong settings:"
    assert [problem.split()[1] for problem in problems] == ["listen", "api_port", "log_level"]
    assert not unborn.home.exists()


def test_a_cluster_goes_past_ports_that_are_taken(unborn: Plane) -> None:
    """Where no other cluster is, whose ports may become free at any moment."""
    first = unborn.api_port + 2
    unborn.start("--empty")
    # Of the first pair PostgreSQL's port is taken, of the second one PgBouncer's.
    with held(first, first + 3), unborn.client() as api:
        cluster = create_cluster(api, "past")
        assert cluster["connection"]["port"] == first + 4
        uri = Service(api, cluster).create_pool("past")
        assert f":{first + 5}/past" in uri
        with connect(uri) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)


def test_no_ports_are_left(unborn: Plane) -> None:
    last = 65533
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # whoever has it already does as well
            stack.enter_context(held(last))
        unborn.environment["POOLKEEPER_FIRST_PORT"] = str(last)
        assert fail_to_start(unborn) == (
            "Error: no free pair of ports from 65533 upwards;"
            " free some, or choose others with --first-port"
        )


def test_sigterm_ends_it_tidily(unborn: Plane) -> None:
    unborn.start("--empty")
    unborn.stop()
    assert unborn.process is not None
    assert unborn.process.returncode == 0
    assert not (unborn.home / "api.json").exists()
    last = json.loads(read_log(unborn).splitlines()[-1])
    assert last["event"] == "control_plane_stopped"


# -- TLS and HTTP ------------------------------------------------------------------------------


@pytest.fixture
def speak(plane: Plane) -> Callable[..., bytes]:
    """Send bytes and read the answer until the server hangs up."""

    def send(data: bytes, *, tls: bool = True) -> bytes:
        with contextlib.ExitStack() as stack:
            address = ("127.0.0.1", plane.api_port)
            connection = stack.enter_context(socket.create_connection(address, timeout=30))
            if tls:
                context = ssl.create_default_context(cafile=str(plane.ca))
                connection = stack.enter_context(
                    context.wrap_socket(connection, server_hostname="127.0.0.1")
                )
            with contextlib.suppress(OSError):  # it may have hung up before all was said
                connection.sendall(data)
            received = bytearray()
            with contextlib.suppress(OSError):
                while chunk := connection.recv(65536):
                    received += chunk
        return bytes(received)

    return send


def read_log(plane: Plane) -> str:
    return (plane.home / "logs" / "control-plane.log").read_text()


def read_refusal(received: bytes) -> tuple[int, Json]:
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    return int(head.split()[1]), json.loads(body)


def test_plain_http_is_told_to_speak_https(
    plane: Plane, api: httpx.Client, speak: Callable[..., bytes]
) -> None:
    answer = httpx.get(f"http://127.0.0.1:{plane.api_port}/v2/databases", timeout=60)
    assert answer.status_code == 400
    assert answer.json() == {
        "id": "bad_request",
        "message": "this port speaks HTTPS: write https:// instead of http://",
    }
    posted = httpx.post(
        f"http://127.0.0.1:{plane.api_port}/v2/databases", content=b"x" * 200_000, timeout=60
    )
    assert posted.status_code == 400
    for noise in (b"\0" * 100, b"\xff" * 5000, b"SSH-2.0-OpenSSH_9.2\r\n"):
        assert b"HTTP" not in speak(noise, tls=False)
    assert api.get("/v1/health").is_success


def test_a_wrong_ca_is_noticed_by_clients(plane: Plane, cluster: Json, tmp_path: Path) -> None:
    other = tmp_path / "ca.crt"
    (tmp_path / "ca").mkdir()
    other.write_text(ensure_authority(tmp_path / "ca", now=now()).certificate_pem)
    context = ssl.create_default_context(cafile=str(other))
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(f"{plane.url}/v1/health", verify=context)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        connect(cluster["connection"]["uri"], sslmode="verify-full", sslrootcert=str(other))
    done = plane.run("databases", "list", "--ca-file", str(other), check=False)
    assert done.returncode == 1
    assert "certificate" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_clients_without_tls_reach_no_database(service: Service) -> None:
    with service.pool("secured") as uri:
        direct = service.api.get(service.address).json()["database"]["connection"]["uri"]
        for each in (uri, direct):
            with pytest.raises(
                psycopg.OperationalError, match=r"SSL required|no pg_hba.conf entry"
            ):
                connect(each, sslmode="disable")


@pytest.mark.parametrize(
    "request_",
    [
        b"\0\1\2\3" * 20 + b"\r\n\r\n",
        b"BREW /v2/databases HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v2/data\0bases HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v2/databases/ümläut HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        b"GET /v2/databases HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /v2/databases HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n{}",
        b"POST /v2/databases HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\n{}",
        b"POST /v2/databases HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["noise", "method", "nul", "utf-8", "header", "negative", "two lengths", "smuggling"],
)
def test_what_is_not_http(plane: Plane, speak: Callable[..., bytes], request_: bytes) -> None:
    status, problem = read_refusal(speak(request_))
    assert status == 400
    assert problem == {
        "id": "bad_request",
        "message": "this is no HTTP request that can be read",
    }
    # uvicorn's own warning is one event on one line, like everything in the log.
    wait_until(
        "it is in the log",
        lambda: "Invalid HTTP request received." in read_log(plane),
    )
    whole, _, _ = read_log(plane).rpartition("\n")  # one may just be written
    for line in whole.splitlines():
        json.loads(line)
    assert "Traceback" not in plane.output.read_text()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v2/databases/" + b"x" * 4 * MAX_HEAD_BYTES + b" HTTP/1.1\r\n",
        b"GET /v2/databases HTTP/1.1\r\nX-Long: " + b"x" * 4 * MAX_HEAD_BYTES + b"\r\n",
        b"GET /v2/databases HTTP/1.1\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(20_000)),
    ],
    ids=["address", "header", "headers"],
)
def test_a_head_without_an_end(speak: Callable[..., bytes], head: bytes) -> None:
    received = speak(head)
    # The client may still be talking when the server hangs up, and then miss the answer.
    if received:
        status, problem = read_refusal(received)
        assert (status, problem["id"]) == (431, "request_header_fields_too_large")
        assert (
            problem["message"]
            == f"the address and the headers have more than {MAX_HEAD_BYTES} bytes"
        )


def test_a_body_without_an_end(service: Service) -> None:
    def pour() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    message = "the body has more than 1048576 bytes"
    for content in (b"x" * 3_000_000, pour()):
        refuse(service.api.post(f"{service.address}/pools", content=content), 413, message)
    assert service.api.get(f"{service.address}/pools").json() == {"pools": []}


@pytest.mark.parametrize(
    "content",
    [
        b"{not json",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"size":' + b"9" * 100_000 + b"}",
    ],
    ids=["broken", "no utf-8", "deep list", "deep object", "huge number"],
)
def test_malformed_json(service: Service, content: bytes) -> None:
    for path in ("pools", "dbs", "users"):
        answer = service.api.post(
            f"{service.address}/{path}",
            content=content,
            headers={"content-type": "application/json"},
        )
        refuse(answer, 400, "error parsing request body")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2",
        "/v2/databases/",
        "//v2//databases",
        "/v2/databases/../../etc/passwd",
        "/docs/../../../../etc/passwd",
        "/docs/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/v2/databases/%ff%fe",
        "/v2/databases/%zz%",
        "/v2/databases/%00",
        f"/v2/databases/{UNKNOWN}/pools/%0d%0aSet-Cookie:%20x",
        "/v3/databases",
    ],
)
def test_addresses_that_lead_nowhere(plane: Plane, path: str) -> None:
    """http.client sends an address as it is written; others tidy it up first."""
    context = ssl.create_default_context(cafile=str(plane.ca))
    connection = http.client.HTTPSConnection("127.0.0.1", plane.api_port, context=context)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Authorization": f"Bearer {plane.token}"})
        answer = connection.getresponse()
        problem = json.load(answer)
    assert (answer.status, problem["id"]) == (404, "not_found")
    assert answer.headers["set-cookie"] is None


# -- tokens ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer " + "0" * 64},
        {"authorization": "Bearer " + "é" * 64},
        {"authorization": "Bearer " + "a" * 30_000},
        {"authorization": "Basic ZG9hZG1pbjp4"},
        {"authorization": "Bearer ' OR 1=1 --"},
    ],
    ids=["none", "empty", "bare", "wrong", "foreign", "long", "basic", "injection"],
)
def test_no_valid_token(plane: Plane, service: Service, header: dict[str, str]) -> None:
    headers = {name: value.encode() for name, value in header.items()}
    with plane.client() as client:
        client.headers.pop("authorization")
        for method, path in (
            ("GET", "/v2/databases"),
            ("GET", f"{service.address}/pools"),
            ("POST", f"{service.address}/pools"),
            ("DELETE", service.address),
            ("POST", "/v1/tokens"),
        ):
            # The body is wrong, too: who may not ask is not told.
            answer = client.request(method, path, headers=headers, content=b"{not json")
            refuse(answer, 401, "Unable to authenticate you.")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "retry-after" not in answer.headers
    assert service.api.get(service.address).is_success


def test_a_token_does_what_its_scopes_say_and_dies(
    plane: Plane, api: httpx.Client, service: Service
) -> None:
    body = {"name": "reader", "scopes": ["database:read"]}
    token = api.post("/v1/tokens", json=body).json()["token"]
    with service.pool("scoped") as uri, plane.client(token["value"]) as reader:
        found = reader.get(f"{service.address}/pools/scoped").json()["pool"]["connection"]
        assert found["password"] == ""
        with pytest.raises(psycopg.OperationalError, match=r"password|no password supplied"):
            connect(found["uri"])
        password = psycopg.conninfo.conninfo_to_dict(uri)["password"]
        assert str(password) not in reader.get("/v2/databases").text
        lacks = "this token lacks the scope 'database:{}'"
        pools = f"{service.address}/pools"
        refuse(reader.post(pools, json={"name": "mine", **SHAPE}), 403, lacks.format("create"))
        refuse(reader.put(f"{pools}/scoped", json=SHAPE), 403, lacks.format("update"))
        refuse(reader.delete(f"{pools}/scoped"), 403, lacks.format("delete"))
        refuse(reader.get("/v1/tokens"), 403, "this token lacks the scope 'admin'")
        with connect(uri) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
        assert api.delete(f"/v1/tokens/{token['id']}").status_code == 204
        refuse(reader.get("/v2/databases"), 401, "Unable to authenticate you.")
    assert token["value"] not in plane.logs()


# -- names -------------------------------------------------------------------------------------

HOSTILE = (
    '"; drop',
    "'; DROP TABLE pools; --",
    'x"; DROP DATABASE defaultdb; --',
    "a=b",
    "abc = host=/tmp dbname=postgres",
    "abc\nevil = host=127.0.0.1",
    "abc\r\n[pgbouncer]\r\nadmin_users = app",
    "[pgbouncer]",
    "%include /etc/passwd",
    "*",
    "; comment",
    "# comment",
    "../../etc/passwd",
    "..",
    "a/b",
    "a\\b",
    "$(id)",
    "`id`",
    "{}",
    "%s%s%n",
    " defaultdb",
    "defaultdb ",
    "d\u00e9faultdb",
    "abc\u202egnp",
    "\U0001f418\U0001f418\U0001f418",
    "x" * 64,
    "x" * 65_536,
)
"""What means something to SQL, to PgBouncer's files, to shells or to paths, or is too long."""


def read_everything(service: Service, inside: Inside) -> Json:
    """Whatever a hostile name could have changed: the API's view, the files, the catalogue."""
    listed = {
        each: service.api.get(f"{service.address}/{each}").json()
        for each in ("pools", "dbs", "users")
    }
    files = {
        path.name: path.read_bytes()
        for folder in (inside.paths.root, inside.paths.pooler)
        for path in folder.iterdir()
        if path.is_file()
    }
    with contextlib.closing(inside.connect()) as superuser:
        databases = superuser.execute("SELECT datname, datdba FROM pg_database").fetchall()
        roles = superuser.execute("SELECT rolname, rolsuper, rolpassword FROM pg_authid").fetchall()
    return {**listed, **files, "databases": sorted(databases), "roles": sorted(roles)}


def test_what_cannot_be_is_refused_and_changes_nothing(service: Service, inside: Inside) -> None:
    with service.pool("there"):
        before = read_everything(service, inside)
        pools = f"{service.address}/pools"
        left = "20 left of 22 backend connections (held: there 2)"
        for change, message in (
            ({"db": "nope"}, "db: there is no database 'nope' in this cluster"),
            ({"user": "nope"}, "user: there is no user 'nope' in this cluster"),
            ({"mode": "pooled"}, "mode: 'pooled' is none of transaction, session, statement"),
            ({"size": 0}, "size: 0 is not a number from 1 to 22"),
            ({"size": -1}, "size: -1 is not a number from 1 to 22"),
            ({"size": 21}, f"size: asked for 21, {left}"),
            ({"size": 2**31 - 1}, f"size: asked for {2**31 - 1}, {left}"),
            ({"size": 10**30}, f"size: {10**30} is not a number from 1 to 22"),
            ({"size": 1.5}, "size: must be a whole number"),
            ({"size": "10"}, "size: must be a whole number"),
        ):
            body = {**SHAPE, **change}
            refuse(service.api.post(pools, json={"name": "new", **body}), 422, message)
            alone = message.replace("20 left", "22 left").partition(" (held")[0]
            if change.get("size") != 21:  # which fits, once the pool's own two are given back
                refuse(service.api.put(f"{pools}/there", json=body), 422, alone)
        refuse(service.api.post(pools, json={"name": "there", **SHAPE}), 422, "not available")
        nowhere = f"/v2/databases/{UNKNOWN}/pools"
        refuse(service.api.post(nowhere, json=SHAPE), 404, "cluster not found")
        unknown = service.api.post(f"/v2/databases/{UNKNOWN}/pools", json={"name": "new", **SHAPE})
        refuse(unknown, 404, "cluster not found")
        refuse(service.api.delete(f"/v2/databases/{UNKNOWN}"), 404, "cluster not found")
        used = "is used by 1 pool: there; delete or change it first"
        service.create_database("used")
        service.change_pool("there", db="used")
        refuse(service.api.delete(f"{service.address}/dbs/used"), 422, f"database 'used' {used}")
        service.change_pool("there", db="defaultdb")
        assert service.api.delete(f"{service.address}/dbs/used").status_code == 204
        for kept in ("dbs/defaultdb", "users/doadmin"):
            assert service.api.delete(f"{service.address}/{kept}").status_code == 422
        assert read_everything(service, inside) == before


def test_hostile_names_reach_nothing(service: Service, inside: Inside) -> None:
    before = read_everything(service, inside)
    for name in HOSTILE:
        shaped = {"name": "victim", **SHAPE}
        for path, body in (
            ("pools", {**shaped, "name": name}),
            ("pools", {**shaped, "db": name}),
            ("pools", {**shaped, "user": name}),
            ("pools", {**shaped, "mode": name}),
            ("dbs", {"name": name}),
            ("users", {"name": name}),
        ):
            answer = service.api.post(f"{service.address}/{path}", json=body)
            assert answer.status_code == 422, (path, name, answer.text)
            assert "\n" not in answer.json()["message"]
            assert len(answer.text) < 1000
    assert read_everything(service, inside) == before


def test_hostile_names_in_addresses_find_nothing(service: Service, inside: Inside) -> None:
    before = read_everything(service, inside)
    for name in HOSTILE:
        if len(name) > 1000 or name == "..":
            continue  # no client would send these as they are
        quoted = "".join(f"%{byte:02X}" for byte in name.encode())
        for path in ("pools", "dbs", "users"):
            address = f"{service.address}/{path}/{quoted}"
            refuse(service.api.get(address), 404, "not found")
            refuse(service.api.delete(address), 404, "not found")
        address = f"{service.address}/pools/{quoted}"
        refuse(service.api.put(address, json=SHAPE), 404, "not found")
        refuse(service.api.post(f"{service.address}/users/{quoted}/reset_auth"), 404, "not found")
        refuse(service.api.get(f"/v2/databases/{quoted}"), 404, "cluster not found")
        assert service.api.get("/v2/databases", params={"tag_name": name}).json()["databases"] == []
    assert read_everything(service, inside) == before


def test_names_that_are_words_elsewhere_are_just_names(service: Service) -> None:
    """``all`` and ``replication`` are keywords of an HBA file, ``123`` a number, ``user`` SQL."""
    words = ("all", "sameuser", "samerole", "replication", "123", "user", "pool_size", "True")
    service.create_database("Select-1.x")
    password = service.create_user("Grant-All.x")
    pools = [service.create_pool(name, size=1) for name in words]
    try:
        with service.pool("other", size=1, user="Grant-All.x", db="Select-1.x") as uri:
            with connect(uri) as client:
                found = client.execute("SELECT current_database(), current_user").fetchone()
                assert found == ("Select-1.x", "Grant-All.x")
            for each in pools:
                with connect(each) as client:
                    assert client.execute("SELECT current_user").fetchone() == ("doadmin",)
                # A line for pool `all` must not let its user into the others, nor others into it.
                with pytest.raises(psycopg.OperationalError):
                    connect(each, user="Grant-All.x", password=password)
            owner = psycopg.conninfo.conninfo_to_dict(pools[0])
            with pytest.raises(psycopg.OperationalError):
                connect(uri, user="doadmin", password=str(owner["password"]))
    finally:
        for name in words:
            service.delete_pool(name)
        service.api.delete(f"{service.address}/users/Grant-All.x")
        service.api.delete(f"{service.address}/dbs/Select-1.x")


# -- haste -------------------------------------------------------------------------------------


Call = tuple[str, str, Json]


def make_calls(api: httpx.Client, calls: Collection[Call]) -> list[httpx.Response]:
    """All of them at once."""
    with ThreadPoolExecutor(16) as workers:
        return list(workers.map(lambda call: api.request(call[0], call[1], json=call[2]), calls))


def check_honest(answers: Collection[httpx.Response]) -> list[int]:
    """Done, or refused with a reason; 503 only where it says that nothing was applied."""
    for answer in answers:
        assert answer.status_code in (200, 201, 204, 404, 422, 503), answer.text
        if answer.status_code == 503:
            assert "taken back" in answer.text
    return [answer.status_code for answer in answers]


def check_served(service: Service) -> None:
    """What the API lists is what can be connected to."""
    for pool in service.api.get(f"{service.address}/pools").json()["pools"]:
        with connect(pool["connection"]["uri"]) as client:
            found = client.execute("SELECT current_database(), current_user").fetchone()
            assert found == (pool["db"], pool["user"])
    # What was taken back may still be on its way.
    wait_until("it is settled", lambda: service.read_cluster()["phase"] == "active")
    standing = service.read_cluster()
    assert {pool["phase"] for pool in standing["pools"]} <= {"active", "draining"}


def clear(service: Service) -> None:
    for pool in service.api.get(f"{service.address}/pools").json()["pools"]:
        service.delete_pool(pool["name"])
    for kind, kept in (("users", "doadmin"), ("dbs", "defaultdb")):
        for found in service.api.get(f"{service.address}/{kind}").json()[kind]:
            if found["name"] != kept:
                service.api.delete(f"{service.address}/{kind}/{found['name']}")


def test_the_same_name_twelve_times_at_once(service: Service) -> None:
    for path, body in (
        ("pools", {"name": "same", **SHAPE}),
        ("dbs", {"name": "same"}),
        ("users", {"name": "same"}),
    ):
        address = f"{service.address}/{path}"
        answers = make_calls(service.api, [("POST", address, body)] * 12)
        assert sorted(answer.status_code for answer in answers) == [201] + [422] * 11
        kind = {"pools": "pool", "dbs": "database", "users": "user"}[path]
        for answer in answers:
            if answer.status_code == 422:
                refuse(answer, 422, f"{kind} name is not available")
    check_served(service)
    clear(service)


def test_contradictory_calls_at_once(service: Service) -> None:
    address = service.address
    calls: list[Call] = []
    for number in range(10):
        calls += [
            ("POST", f"{address}/pools", {"name": "torn", **SHAPE}),
            ("PUT", f"{address}/pools/torn", {**SHAPE, "size": 1 + number % 3}),
            ("DELETE", f"{address}/pools/torn", {}),
            ("POST", f"{address}/dbs", {"name": "torn"}),
            ("POST", f"{address}/pools", {"name": f"db-{number}", **SHAPE, "db": "torn"}),
            ("DELETE", f"{address}/dbs/torn", {}),
            ("POST", f"{address}/users", {"name": "torn"}),
            ("POST", f"{address}/pools", {"name": f"user-{number}", **SHAPE, "user": "torn"}),
            ("POST", f"{address}/users/torn/reset_auth", {}),
            ("DELETE", f"{address}/users/torn", {}),
        ]
    check_honest(make_calls(service.api, calls))
    check_served(service)
    clear(service)


def test_a_hasty_user_does_not_wait_for_the_cluster(plane: Plane, api: httpx.Client) -> None:
    """Everything is asked for while the cluster is still being created; then it is deleted."""
    body = {"name": "hasty", **CLUSTER}
    answers = make_calls(api, [("POST", "/v2/databases", body)] * 4)
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    created = next(answer for answer in answers if answer.status_code == 201).json()["database"]
    service = Service(api, created)
    address = service.address
    calls: list[Call] = [
        ("POST", f"{address}/pools", {"name": "early", **SHAPE}),
        ("POST", f"{address}/dbs", {"name": "early"}),
        ("POST", f"{address}/users", {"name": "early"}),
        ("POST", f"{address}/users/doadmin/reset_auth", {}),
    ]
    # A call waits for the cluster for `request_wait_seconds`; a busy machine may need longer.
    wait_until("all are there", lambda: 503 not in check_honest(make_calls(api, calls)))
    check_served(service)

    late: list[Call] = [("DELETE", address, {}), *calls, ("DELETE", address, {})]
    first, *_, last = check_honest(make_calls(api, late))
    assert sorted((first, last)) == [204, 404]
    refuse(api.get(address), 404, "cluster not found")
    wait_until("its servers have ended", lambda: not plane.list_servers(created["id"]))
    assert (plane.home / "clusters" / created["id"] / "data").is_dir()


def test_a_cluster_deleted_while_it_is_created(plane: Plane, api: httpx.Client) -> None:
    body = {"name": "fleeting", **CLUSTER}
    for _ in range(3):  # its name is free again each time
        created = api.post("/v2/databases", json=body)
        assert created.status_code == 201, created.text
        address = f"/v2/databases/{created.json()['database']['id']}"
        assert api.delete(address).status_code == 204
        refuse(api.delete(address), 404, "cluster not found")
