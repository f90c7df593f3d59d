"""What holds for every request: ids, content types, errors, the log."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest

from poolkeeper.domain.errors import Unavailable
from poolkeeper.domain.tokens import ADMIN
from poolkeeper.usecases import clusters
from tests.api.front import Front
from tests.plane import wait_until

JSON = "application/json; charset=utf-8"
CLUSTER = {
    "name": "orders",
    "engine": "pg",
    "num_nodes": 1,
    "size": "db-s-1vcpu-1gb",
    "region": "nyc3",
}
SOMEWHERE = "/v2/databases/00000000-0000-4000-8000-000000000000"


def test_every_answer_has_an_id_of_its_own(front: Front) -> None:
    responses = [
        front.call("GET", "/v2/databases"),
        front.call("GET", SOMEWHERE),
        front.call("GET", "/nowhere"),
        front.call("PATCH", "/v2/databases"),
        front.connect(None).get("/v2/databases"),
        front.client(ADMIN).get("/v1/health", headers={"x-request-id": "mine"}),
    ]
    ids = [response.headers["x-request-id"] for response in responses]
    assert len(set(ids)) == len(ids)
    assert all(str(UUID(request_id)) == request_id for request_id in ids)
    for response in responses:
        assert response.headers["content-type"] == JSON
        if response.status_code >= 400:
            assert response.json()["request_id"] == response.headers["x-request-id"]


def test_answers_without_a_body_have_none(front: Front, main: Mapping[str, Any]) -> None:
    response = front.call("DELETE", f"/v2/databases/{main['id']}")
    assert response.status_code == 204
    assert "content-type" not in response.headers
    assert "content-length" not in response.headers
    assert response.headers["x-request-id"]


@pytest.mark.parametrize(
    "path",
    ["/", "/v2", "/v2/", "/v2/databases/", f"{SOMEWHERE}/nope", "/v3", "/v2/vpcs", "/v2/projects"],
)
def test_unrouted(front: Front, path: str) -> None:
    response = front.call("GET", path)
    assert response.status_code == 404
    assert (response.json()["id"], response.json()["message"]) == (
        "not_found",
        "404 page not found",
    )


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/v2/databases", "GET, POST"),
        ("PUT", SOMEWHERE, "GET, DELETE"),
        ("POST", f"{SOMEWHERE}/pools/web", "GET, PUT, DELETE"),
        ("GET", f"{SOMEWHERE}/users/app/reset_auth", "POST"),
        ("POST", "/v1/health", "GET"),
    ],
)
def test_wrong_method(front: Front, method: str, path: str, allowed: str) -> None:
    response = front.call(method, path)
    assert (response.status_code, response.json()["id"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"",
        b"{'name': 1}",
        b'{"name": "x",}',
        b"\xff\xfe",
        b"name=x",
        b"[" * 100_000,
        b'{"size": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda content: repr(content[:12]),
)
def test_malformed_json(front: Front, content: bytes) -> None:
    before = front.look()
    response = front.client(ADMIN).post(
        "/v2/databases", content=content, headers={"content-type": "application/json"}
    )
    if content == b"":
        assert (response.status_code, "must be a JSON object" in response.text) == (422, True)
    else:
        assert (response.status_code, response.json()["id"]) == (400, "bad_request")
        assert response.json()["message"] == "error parsing request body"
    assert front.look() == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/databases", CLUSTER | {"region": "\ud800\n"}),
        ("/v2/databases", CLUSTER | {"version": "\ud800\n"}),
        ("/v2/databases", CLUSTER | {"name": "\ud800\n"}),
        ("/v1/tokens", {"name": "\ud800", "scopes": ["admin"]}),
        ("/v1/tokens", {"name": "ci", "scopes": ["\ud800\n"]}),
    ],
)
def test_text_that_is_no_unicode(front: Front, path: str, body: object) -> None:
    before = front.look()
    response = front.client(ADMIN).post(path, content=json.dumps(body))
    assert response.status_code == 422
    assert "\n" not in response.json()["message"]
    assert front.look() == before


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "application/json; charset=utf-8"}], ids=["none", "charset"]
)
def test_content_types_that_do(
    front: Front, main: Mapping[str, Any], headers: Mapping[str, str]
) -> None:
    response = front.client(ADMIN).post(
        f"/v2/databases/{main['id']}/dbs", content=b'{"name": "app"}', headers=headers
    )
    assert response.status_code == 201


def test_a_form_is_told_what_is_wrong(front: Front) -> None:
    # What `curl -d` sends unless it is told otherwise.
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = front.client(ADMIN).post("/v2/databases", content=b"{}", headers=headers)
    assert response.status_code == 422
    assert response.json()["message"] == "the body must be a JSON object, sent as application/json"


def test_body_of_any_size_is_not_read(front: Front) -> None:
    def endless() -> Any:
        for _ in range(64):
            yield b" " * 65536

    for content in (b" " * 2_000_000, endless()):
        try:
            response = front.client(ADMIN).post(
                "/v2/databases", content=content, headers={"content-type": "application/json"}
            )
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            continue  # It was hung up on before it could read the answer.
        assert response.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("PUT", "{cluster}/firewall", "rules"),
        ("PUT", "{cluster}/do_settings", "do_settings.service_cnames"),
        ("POST", "/v2/databases", "tags"),
        ("POST", "/v2/databases", "rules"),
        ("POST", "/v2/tags/x/resources", "resources"),
        ("POST", "/v1/tokens", "scopes"),
    ],
)
def test_a_list_of_any_length_is_not_looked_through(
    front: Front, main: Mapping[str, Any], method: str, path: str, field: str
) -> None:
    """A complaint of each entry would hold up everybody."""
    inner: object = [1] * 1001
    for name in reversed(field.split(".")):
        inner = {name: inner}
    assert isinstance(inner, dict)
    address = path.format(cluster=f"/v2/databases/{main['id']}")
    response = front.call(method, address, CLUSTER | inner)
    assert response.status_code == 422
    assert response.json()["message"] == f"{field}: must have at most 1000 entries"


def test_fault_of_ours_is_json_and_says_nothing(
    front: Front, monkeypatch: pytest.MonkeyPatch, log: Sequence[Mapping[str, Any]]
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(clusters, "list_clusters", fail)
    response = front.call("GET", "/v2/databases")
    assert (response.status_code, response.headers["content-type"]) == (500, JSON)
    assert response.json()["id"] == "server_error"
    assert "hunter2" not in response.text and "Traceback" not in response.text
    assert "retry-after" not in response.headers
    entry = next(entry for entry in log if entry["event"] == "fault")
    assert entry["request_id"] == response.headers["x-request-id"]
    assert isinstance(entry["exc_info"], RuntimeError)


def test_unavailable_may_be_tried_again(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise Unavailable("not now")

    monkeypatch.setattr(clusters, "list_clusters", fail)
    response = front.call("GET", "/v2/databases")
    assert (response.status_code, response.json()["message"]) == (503, "not now")
    assert response.json()["id"] == "service_unavailable"
    assert response.headers["retry-after"] == "1"


def test_retry_after_is_with_nothing_else(front: Front, main: Mapping[str, Any]) -> None:
    # pydo repeats whatever carries it, a POST too.
    pools = f"/v2/databases/{main['id']}/pools"
    for response in (
        front.call("GET", "/v2/databases"),
        front.call("GET", SOMEWHERE),
        front.call("POST", pools, {}),
        front.call("PATCH", pools),
        front.connect("x").get(pools),
    ):
        assert "retry-after" not in response.headers


def test_each_request_is_one_line_in_the_log_without_secrets(
    front: Front, main: Mapping[str, Any], log: Sequence[Mapping[str, Any]]
) -> None:
    response = front.call("POST", f"/v2/databases/{main['id']}/users", {"name": "app"})
    lines: list[Mapping[str, Any]] = wait_until(
        "it is logged", lambda: [entry for entry in log if entry.get("path", "").endswith("/users")]
    )
    assert len(lines) == 1
    line = dict(lines[0])
    assert line.pop("milliseconds") > 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "path": f"/v2/databases/{main['id']}/users",
        "status": 201,
        "token": "admin",
        "request_id": response.headers["x-request-id"],
    }
    token = front.client(ADMIN).headers["authorization"].split()[1]
    secrets = (token, response.json()["user"]["password"], main["connection"]["password"])
    assert not any(secret in str(list(log)) for secret in secrets)


def test_nothing_goes_to_the_server_log(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        front.call("GET", "/nowhere")
        front.connect(None).get("/v2/databases")
    assert caplog.records == []


def test_nul_in_the_query(front: Front) -> None:
    response = front.call("GET", "/v2/databases?tag_name=a%00b")
    assert (response.status_code, response.json()["id"]) == (422, "unprocessable_entity")


def test_who_hangs_up_halfway_through_a_body_is_no_fault(
    front: Front, main: Mapping[str, Any], log: Sequence[Mapping[str, Any]]
) -> None:
    place = urlsplit(front.url)
    token = front.client(ADMIN).headers["authorization"]
    below = f"/v2/databases/{main['id']}"
    calls = [("POST", f"{below}/dbs"), ("PATCH", f"{below}/config")]
    for method, path in calls:
        with socket.create_connection((str(place.hostname), int(place.port or 0))) as connection:
            head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n"
            connection.sendall(f"{head}content-length: 100\r\n\r\n{{".encode())
            # So that the request is under way by then.
            front.call("GET", "/v2/databases")

    def read_statuses() -> dict[str, object]:
        return {entry["path"]: entry["status"] for entry in log if entry["event"] == "request"}

    wait_until("both are logged", lambda: {path for _, path in calls} <= read_statuses().keys())
    assert [entry for entry in log if entry["event"] == "fault"] == []
    assert read_statuses()[f"{below}/dbs"] is None
