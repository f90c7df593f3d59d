"""A cluster that is not there: it is said first, whatever else is wrong with a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from poolkeeper.api.app import ROUTERS
from poolkeeper.domain.tokens import ADMIN, SCOPES
from tests.api.front import Front

NOBODY = "00000000-0000-4000-8000-000000000000"
JSON = {"content-type": "application/json"}
BODIES = {
    "malformed": b'{"name": ',
    "no text": b"\xff\xfe",
    "of another shape": b"[1]",
    "empty": b"{}",
    "of other values": b'{"size": 0, "storage": {"enabled": 1}}',
}


def _list_calls() -> Iterator[tuple[str, str]]:
    for route in (route for router in ROUTERS for route in router.routes):
        if not isinstance(route, APIRoute):
            continue
        for name in ("database_cluster_uuid", "cluster_id"):
            if f"{{{name}}}" in route.path and route.body_field is not None:
                yield from ((method, route.path.replace(name, "id")) for method in route.methods)


CALLS = sorted(set(_list_calls()))


def _send(front: Front, scope: str, method: str, template: str, body: bytes) -> Any:
    path = template.format_map(_Ids())
    return front.client(scope).request(method, path, content=body, headers=JSON)


class _Ids(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return NOBODY if name == "id" else "web"


def test_there_are_calls_with_a_body() -> None:
    assert ("POST", "/v2/databases/{id}/pools") in CALLS
    assert ("POST", "/v1/clusters/{id}/pools/{pool_name}/plan") in CALLS


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize(("method", "template"), CALLS)
def test_a_wrong_body_for_no_cluster_is_not_found(
    module_front: Front, method: str, template: str, body: bytes
) -> None:
    answer = _send(module_front, ADMIN, method, template, body)
    assert (answer.status_code, answer.json()["message"]) == (404, "cluster not found")


@pytest.mark.parametrize(("method", "template"), CALLS)
def test_who_may_not_call_is_not_told_whether_there_is_one(
    module_front: Front, method: str, template: str
) -> None:
    answers = [
        _send(module_front, scope, method, template, b"{") for scope in SCOPES if scope != ADMIN
    ]
    assert sorted(answer.status_code for answer in answers) == [403, 403, 403, 403, 404]


def test_a_wrong_body_for_a_cluster_that_is_there_is_told(front: Front) -> None:
    path = f"/v2/databases/{front.create_cluster()['id']}/pools"
    client = front.client(ADMIN)
    assert client.post(path, content=b"{", headers=JSON).status_code == 400
    assert client.post(path, content=b"{}", headers=JSON).status_code == 422
