"""DigitalOcean's own description of the API. Where it is at hand, every answer of every test in
this folder is held against it; here it is seen to that each operation came up at all."""

from __future__ import annotations

import pytest

from tests.api.contract import VARIABLE, Contract
from tests.api.front import Front
from tests.api.test_scopes import MATRIX, C


@pytest.fixture
def described(contract: Contract | None) -> Contract:
    if contract is None:
        pytest.skip(f"DigitalOcean's description is not on this machine; {VARIABLE} names it")
    return contract


def test_every_operation_answers_as_described(front: Front, described: Contract) -> None:
    cluster_id = front.create_cluster("main")["id"]
    described.checked.clear()
    statuses = []
    for method, template, body, _, status in MATRIX:
        if template.startswith("/v2"):
            path = template.format_map({"id": cluster_id})
            assert front.call(method, path, body).status_code == status
            statuses.append(status)
    assert len(described.checked) == len(statuses)
    assert {status for _, status in described.checked} == {200, 201, 204}


def test_operations_have_their_ids_and_addresses(front: Front, described: Contract) -> None:
    theirs = {operation.id: operation for operation in described.operations}
    for template, item in front.app.openapi()["paths"].items():
        for method, operation in item.items():
            if template.startswith("/v2"):
                their = theirs[operation["operationId"]]
                assert (their.method, their.template) == (method.upper(), template)
                assert f"{their.description['security']}".count("database:") == 1


def test_scopes_are_theirs(described: Contract) -> None:
    for method, template, _, scope, _ in MATRIX:
        path = template.replace(C, f"{C[:-4]}any").replace("{id}", "any")
        for operation in described.operations:
            if operation.method == method and operation.pattern.fullmatch(path):
                assert operation.description["security"] == [{"bearer_auth": [scope]}], path
                break
