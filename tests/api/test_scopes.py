"""Who may do what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from poolkeeper.domain.tokens import ADMIN, CREATE, DELETE, READ, SCOPES, UPDATE
from tests.api.contract import Contract, Operation
from tests.api.front import Front

C = "/v2/databases/{id}"
POOL = {"name": "web", "mode": "session", "size": 1, "db": "defaultdb"}
CLUSTER = {
    "name": "x-1",
    "engine": "pg",
    "num_nodes": 1,
    "size": "db-s-1vcpu-1gb",
    "region": "nyc3",
}
METRICS = "/v2/databases/metrics/credentials"
CREDENTIALS = {"basic_auth_username": "scraper", "basic_auth_password": "a-long-password"}
SETTINGS = {"settings": {"pg_allow_replication": False}}

# Method, address, body, the scope it takes, and the status when it is there.
MATRIX: list[tuple[str, str, Any, str, int]] = [
    ("GET", "/v2/databases/options", None, READ, 200),
    ("GET", "/v2/databases", None, READ, 200),
    ("POST", "/v2/databases", CLUSTER, CREATE, 201),
    ("GET", C, None, READ, 200),
    ("GET", f"{C}/ca", None, READ, 200),
    ("GET", f"{C}/users", None, READ, 200),
    ("POST", f"{C}/users", {"name": "app"}, CREATE, 201),
    ("GET", f"{C}/users/doadmin", None, READ, 200),
    ("PUT", f"{C}/users/doadmin", SETTINGS, UPDATE, 201),
    ("POST", f"{C}/users/doadmin/reset_auth", {}, UPDATE, 200),
    ("DELETE", f"{C}/users/app", None, DELETE, 204),
    ("GET", f"{C}/dbs", None, READ, 200),
    ("POST", f"{C}/dbs", {"name": "app"}, CREATE, 201),
    ("GET", f"{C}/dbs/defaultdb", None, READ, 200),
    ("DELETE", f"{C}/dbs/app", None, DELETE, 204),
    ("GET", f"{C}/pools", None, READ, 200),
    ("POST", f"{C}/pools", POOL, CREATE, 201),
    ("GET", f"{C}/pools/web", None, READ, 200),
    ("PUT", f"{C}/pools/web", POOL, UPDATE, 204),
    ("PUT", f"{C}/resize", {"size": "db-s-1vcpu-2gb", "num_nodes": 1}, UPDATE, 202),
    ("PUT", f"{C}/maintenance", {"day": "monday", "hour": "01:00"}, UPDATE, 204),
    ("PUT", f"{C}/install_update", None, UPDATE, 204),
    ("GET", f"{C}/firewall", None, READ, 200),
    ("PUT", f"{C}/firewall", {"rules": []}, UPDATE, 204),
    ("GET", f"{C}/config", None, READ, 200),
    ("PATCH", f"{C}/config", {"config": {"work_mem": 8}}, UPDATE, 200),
    ("GET", f"{C}/autoscale", None, READ, 200),
    ("PUT", f"{C}/autoscale", {"storage": {"enabled": True}}, UPDATE, 204),
    ("GET", f"{C}/do_settings", None, READ, 200),
    ("PUT", f"{C}/do_settings", {"do_settings": {"service_cnames": ["a.b"]}}, UPDATE, 204),
    ("GET", f"{C}/events", None, READ, 200),
    ("GET", f"{C}/replicas", None, READ, 200),
    ("POST", f"{C}/replicas", {"name": "copy"}, CREATE, 422),
    ("GET", f"{C}/replicas/copy", None, READ, 404),
    ("DELETE", f"{C}/replicas/copy", None, DELETE, 404),
    ("PUT", f"{C}/replicas/copy/promote", None, UPDATE, 404),
    ("GET", f"{C}/backups", None, READ, 422),
    ("PUT", f"{C}/migrate", {"region": "ams3"}, UPDATE, 422),
    ("PUT", f"{C}/upgrade", {"version": "17"}, UPDATE, 204),
    ("GET", f"{C}/online-migration", None, READ, 404),
    ("PUT", f"{C}/online-migration", {"source": {}}, UPDATE, 422),
    ("DELETE", f"{C}/online-migration/any", None, DELETE, 404),
    ("POST", "/v2/tags", {"name": "blue"}, CREATE, 201),
    ("GET", "/v2/tags", None, READ, 200),
    ("GET", "/v2/tags/blue", None, READ, 200),
    ("POST", "/v2/tags/blue/resources", {"resources": []}, UPDATE, 204),
    ("DELETE", "/v2/tags/blue/resources", {"resources": []}, UPDATE, 204),
    ("DELETE", "/v2/tags/blue", None, DELETE, 204),
    ("GET", METRICS, None, UPDATE, 200),
    ("PUT", METRICS, {"credentials": CREDENTIALS}, UPDATE, 204),
    ("GET", "/v1/clusters", None, READ, 200),
    ("GET", "/v1/clusters/{id}", None, READ, 200),
    ("GET", "/v1/clusters/{id}/samples", None, READ, 200),
    ("GET", "/v1/clusters/{id}/pools/web", None, READ, 200),
    ("POST", "/v1/clusters/{id}/pools/web/plan", {"size": 2}, READ, 200),
    ("GET", "/v1/events", None, READ, 200),
    ("DELETE", f"{C}/pools/web", None, DELETE, 204),
    ("GET", "/v1/tokens", None, ADMIN, 200),
    ("POST", "/v1/tokens", {"name": "ci", "scopes": [READ]}, ADMIN, 201),
    ("DELETE", "/v1/tokens/{token}", None, ADMIN, 204),
    ("DELETE", C, None, DELETE, 204),
]
WITHOUT_TOKEN = {("GET", "/v1/health"), ("GET", "/metrics")}
# What any token may call.
FOR_ANYONE = [
    ("GET", "/v2/account", 200),
    ("GET", "/v1/oauth/token/info", 200),
    ("POST", "/v1/sign-in-links", 201),
]


def test_each_call_takes_its_scope_and_no_other(front: Front, main: Mapping[str, Any]) -> None:
    places = {"id": main["id"], "token": front.issue_token(READ)[:16]}
    for method, template, body, scope, status in MATRIX:
        path, before = template.format_map(places), front.look()
        for other in SCOPES:
            if other in (scope, ADMIN):
                continue
            refused = front.client(other).request(method, path, json=body)
            assert (refused.status_code, refused.json()["id"]) == (403, "forbidden"), path
            assert refused.json()["message"] == f"this token lacks the scope '{scope}'"
        # Issuing tokens is all that happened meanwhile.
        assert front.look()[0] == before[0]
        allowed = front.client(scope).request(method, path, json=body)
        assert allowed.status_code == status, (path, allowed.text)


def test_matrix_is_whole(front: Front) -> None:
    described = Contract(front.app.openapi(), strict=True).operations
    calls = [
        *((method, path) for method, path, *_ in (*MATRIX, *FOR_ANYONE)),
        *WITHOUT_TOKEN,
    ]
    named = [find_operation(described, method, path) for method, path in calls]
    assert sorted(named) == sorted(each.id for each in described)


def find_operation(described: Sequence[Operation], method: str, path: str) -> str:
    found = (each for each in described if each.method == method and each.pattern.fullmatch(path))
    return next(found).id


@pytest.mark.parametrize(("method", "path", "status"), FOR_ANYONE)
def test_any_token_may_ask_for_itself(front: Front, method: str, path: str, status: int) -> None:
    for scope in SCOPES:
        assert front.client(scope).request(method, path).status_code == status
    assert front.connect(None).request(method, path).status_code == 401
