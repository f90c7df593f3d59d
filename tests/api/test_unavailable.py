"""What cannot be had: said at once, in words that help, and the same for every cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from poolkeeper.api.other_engines import MESSAGE, OPERATIONS
from poolkeeper.domain.tokens import CREATE, DELETE, READ, SCOPES, UPDATE
from tests.api.front import Front
from tests.shows import shows

Json = Mapping[str, Any]
REFUSED = [
    ("POST", "replicas", "one node"),
    ("GET", "backups", "pg_dump"),
    ("PUT", "migrate", "cannot leave this host"),
    ("PUT", "upgrade", "keeps its major version"),
    ("PUT", "online-migration", "pg_restore"),
]
MISSING = [
    ("GET", "replicas/copy"),
    ("DELETE", "replicas/copy"),
    ("PUT", "replicas/copy/promote"),
    ("GET", "online-migration"),
    ("DELETE", "online-migration/1"),
]
SCOPE_OF = {"GET": READ, "POST": CREATE, "PUT": UPDATE, "DELETE": DELETE}


def _name(path: str) -> str:
    """The address of something that has the name of its parameter."""
    return path.replace("{", "").replace("}", "")


FOREIGN = [(method, _name(path)) for path, methods in OPERATIONS.items() for method in methods]


@pytest.mark.parametrize(("method", "path", "word"), REFUSED)
@pytest.mark.parametrize("body", [None, {}, {"version": "99", "region": "ams3"}, [1]])
def test_what_would_have_to_be_made_is_refused(
    front: Front, main: Json, method: str, path: str, word: str, body: object
) -> None:
    before = front.look()
    answer = front.call(method, f"/v2/databases/{main['id']}/{path}", body)
    assert (answer.status_code, answer.json()["id"]) == (422, "unprocessable_entity")
    if not (path == "upgrade" and body == [1]):
        assert word in answer.json()["message"]
    assert front.look() == before


@pytest.mark.parametrize(("method", "path"), MISSING)
def test_what_is_not_there_is_not_found(front: Front, main: Json, method: str, path: str) -> None:
    answer = front.call(method, f"/v2/databases/{main['id']}/{path}")
    assert (answer.status_code, answer.json()["message"]) == (404, "not found")


def test_there_are_no_replicas(front: Front, main: Json) -> None:
    answer = front.call("GET", f"/v2/databases/{main['id']}/replicas?page=1&per_page=200")
    assert (answer.status_code, answer.json()) == (200, {"replicas": []})


def test_the_version_that_a_cluster_has_can_be_asked_for(front: Front, main: Json) -> None:
    path = f"/v2/databases/{main['id']}/upgrade"
    assert front.call("PUT", path, {"version": main["version"]}).status_code == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param(method, _name(path), marks=shows(f"{method} /v2/databases/{{id}}/{path}"))
        for path, methods in OPERATIONS.items()
        for method in methods
    ],
)
def test_what_is_for_other_engines_is_refused(
    front: Front, main: Json, method: str, path: str
) -> None:
    address = f"/v2/databases/{main['id']}/{path}"
    for body in (None, {}, {"config": {"evict": True}}):
        answer = front.call(method, address, body)
        assert (answer.status_code, answer.json()["message"]) == (422, MESSAGE)
    for scope in SCOPES:
        status = 422 if scope in (SCOPE_OF[method], "admin") else 403
        assert front.client(scope).request(method, address).status_code == status
    assert front.connect(None).request(method, address).status_code == 401


@pytest.mark.parametrize("id", ["6f1c2b1e-0d2c-4c39-9c4f-3a7c9b0f5e21", "nonsense"])
def test_an_unknown_cluster_comes_first(front: Front, id: str) -> None:
    paths = [
        *FOREIGN,
        *((method, path) for method, path, _ in REFUSED),
        *MISSING,
        ("GET", "replicas"),
    ]
    for method, path in paths:
        answer = front.call(method, f"/v2/databases/{id}/{path}", {})
        assert (answer.status_code, answer.json()["message"]) == (404, "cluster not found"), path


def test_a_method_that_nobody_has(front: Front, main: Json) -> None:
    answer = front.call("PATCH", f"/v2/databases/{main['id']}/topics")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


def test_options_offer_one_node_only(front: Front) -> None:
    pg = front.call("GET", "/v2/databases/options").json()["options"]["pg"]
    assert [layout["num_nodes"] for layout in pg["layouts"]] == [1]
