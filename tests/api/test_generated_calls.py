"""Calls that a program makes up from our own description: none is a fault of the server.

schemathesis reads ``/openapi.json`` and sends what fits it and what does not.
"""

from __future__ import annotations

from collections import Counter

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.front import Front

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
BRIEFLY = hypothesis.settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
TIMEOUT = 60
POOL = {"name": "web", "db": "defaultdb", "user": "doadmin", "mode": "transaction", "size": 1}


def find_places(front: Front) -> dict[str, str]:
    """The path's parameters of things that are there; made anew if the last call took them."""
    found = front.call("GET", "/v2/databases").json()["databases"]
    cluster = found[0] if found else front.create_cluster("made-up")
    address = f"/v2/databases/{cluster['id']}"
    front.client("admin").post(f"{address}/pools", json=POOL)
    return {
        "database_cluster_uuid": cluster["id"],
        "cluster_id": cluster["id"],
        "pool_name": "web",
        "username": "doadmin",
        "database_name": "defaultdb",
    }


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("there", [True, False], ids=["of what is there", "of anything"])
def test_no_call_is_a_fault_of_the_server(there: bool, module_front: Front) -> None:
    description = schemathesis.openapi.from_url(f"{module_front.url}/openapi.json", timeout=TIMEOUT)
    token = {"authorization": f"Bearer {module_front.issue_token('admin')}"}
    sent: Counter[str] = Counter()

    def send(case: schemathesis.Case) -> None:
        places = find_places(module_front) if there else {}
        parameters = case.path_parameters or {}
        parameters.update({name: places[name] for name in places.keys() & parameters.keys()})
        case.validate_response(case.call(headers=token, timeout=TIMEOUT), checks=CHECKS)
        sent[case.operation.label] += 1

    for found in description.get_all_operations():
        cases = found.ok().as_strategy()
        BRIEFLY(hypothesis.given(cases)(send))()
    assert len(sent) == len(list(description.get_all_operations()))
