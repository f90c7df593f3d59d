"""DigitalOcean's own description of the API. Where it is at hand, every answer of every test in
this folder is held against it; here it is seen to that each operation came up at all, in each
documented status that can be provoked."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from poolkeeper.api.rates import RateLimits
from poolkeeper.domain.tokens import VIEW_CREDENTIALS
from tests.api.contract import VARIABLE, Contract, Operation
from tests.api.front import Front
from tests.api.test_scopes import MATRIX, C

# Method, address, body and status: each call of ours that DigitalOcean has.
CALLS = [
    *((method, path, body, status) for method, path, body, _, status in MATRIX),
    ("GET", "/v2/account", None, 200),
]
THEIRS = [call for call in CALLS if call[1].startswith("/v2")]


@pytest.fixture
def described(contract: Contract | None) -> Contract:
    if contract is None:
        pytest.skip(f"DigitalOcean's description is not on this machine; {VARIABLE} names it")
    contract.checked.clear()
    return contract


def send_all(front: Front, cluster_id: str, status: int | None = None, where: str = "") -> None:
    """Make each call whose address has that in it; all answer that status, or their own."""
    for method, template, body, usual in THEIRS:
        if where in template:
            path = template.format_map({"id": cluster_id})
            answer = front.call(method, path, body)
            assert answer.status_code == (status or usual), f"{method} {path} {answer.text}"


def find_ids(described: Contract, status: int, where: str = "") -> set[str]:
    """The operations that are described as answering that, at such addresses."""
    return {
        operation.id
        for operation in described.operations
        if str(status) in operation.description["responses"] and where in operation.template
    }


def find_checked(described: Contract, status: int) -> set[str]:
    return {id for id, answered in described.checked if answered == status}


def test_every_operation_answers_as_described(front: Front, described: Contract) -> None:
    cluster_id = front.create_cluster("main")["id"]
    described.checked.clear()
    send_all(front, cluster_id)
    assert {id for id, _ in described.checked} == {each.id for each in described.operations}
    assert len(described.checked) == len(THEIRS)


def test_every_operation_of_a_cluster_tells_that_there_is_none(
    front: Front, described: Contract
) -> None:
    send_all(front, str(uuid.uuid4()), 404, where="{id}")
    for method, template, body, _ in THEIRS:
        if "/blue" in template:
            assert front.call(method, template, body).status_code == 404
    expected = find_ids(described, 404, "/{")
    assert find_checked(described, 404) == expected


def test_every_operation_asks_who_calls(front: Front, described: Contract) -> None:
    client = front.connect(None)
    for method, template, body, _ in THEIRS:
        path = template.format_map({"id": uuid.uuid4()})
        assert client.request(method, path, json=body).status_code == 401
    assert find_checked(described, 401) == find_ids(described, 401)


def test_every_operation_tells_of_a_fault_of_ours(front: Front, described: Contract) -> None:
    front.change(store=None)
    send_all(front, str(uuid.uuid4()), 500)
    assert find_checked(described, 500) == find_ids(described, 500)


def test_every_operation_tells_of_too_many_calls(front: Front, described: Contract) -> None:
    front.app.state.rates = RateLimits(hour=1)
    try:
        assert front.call("GET", "/v2/account").status_code == 200
        send_all(front, str(uuid.uuid4()), 429)
    finally:
        front.app.state.rates = RateLimits()
    assert find_checked(described, 429) == find_ids(described, 429)


def test_malformed_and_impossible_bodies_answer_as_described(
    front: Front, described: Contract, main: Mapping[str, Any]
) -> None:
    settings, autoscale = (
        f"/v2/databases/{main['id']}/{name}" for name in ("do_settings", "autoscale")
    )
    client = front.client("admin")
    headers = {"content-type": "application/json"}
    for method, path in (("PUT", settings), ("POST", "/v2/tags")):
        answer = client.request(method, path, content=b"{", headers=headers)
        assert answer.status_code == 400
        assert answer.json()["message"] == "error parsing request body"
    assert front.call("PUT", settings, {}).status_code == 422
    assert front.call("PUT", autoscale, {"storage": {}}).status_code == 422
    for status in (400, 422):
        assert find_checked(described, status) == find_ids(described, status)


def test_operations_have_their_ids_and_addresses(front: Front, described: Contract) -> None:
    theirs = {operation.id: operation for operation in described.operations}
    for template, item in front.app.openapi()["paths"].items():
        for method, operation in item.items():
            if template.startswith("/v2"):
                their = theirs[operation["operationId"]]
                assert (their.method, their.template) == (method.upper(), template)


def test_scopes_are_theirs(described: Contract) -> None:
    compared = set()
    for method, template, _, scope, _ in MATRIX:
        path = template.replace(C, f"{C[:-4]}any").replace("{id}", "any")
        operation = _find(described, method, path)
        # Tags have scopes of their own there, and those of clusters here.
        if operation is not None and not operation.id.startswith("tags_"):
            [needs] = operation.description["security"]
            # Without that one there are no passwords in the answer.
            assert {*needs["bearer_auth"]} - {VIEW_CREDENTIALS} == {scope}, path
            compared.add(operation.id)
    assert len(compared) > 40


def _find(described: Contract, method: str, path: str) -> Operation | None:
    for operation in described.operations:
        if operation.method == method and operation.pattern.fullmatch(path):
            return operation
    return None
