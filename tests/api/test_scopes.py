"""Who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from poolkeeper.domain.tokens import ADMIN, CREATE, DELETE, READ, SCOPES, UPDATE, VIEW_CREDENTIALS
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
SETTINGS = {"settings": {"pg_allow_replication": False}}

# Method, address, body, the scope it takes, and the status when it is there.
MATRIX = [
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
    ("GET", "/v1/clusters", None, READ, 200),
    ("GET", "/v1/clusters/{id}", None, READ, 200),
    ("GET", "/v1/clusters/{id}/pools/web", None, READ, 200),
    ("POST", "/v1/clusters/{id}/pools/web/plan", {"size": 2}, READ, 200),
    ("GET", "/v1/events", None, READ, 200),
    ("DELETE", f"{C}/pools/web", None, DELETE, 204),
    ("GET", "/v1/tokens", None, ADMIN, 200),
    ("POST", "/v1/tokens", {"name": "ci", "scopes": [READ]}, ADMIN, 201),
    ("DELETE", "/v1/tokens/{token}", None, ADMIN, 204),
    ("DELETE", C, None, DELETE, 204),
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
    described = {
        (method.upper(), path.replace("{database_cluster_uuid}", "{id}"))
        for path, item in front.app.openapi()["paths"].items()
        for method in item
    }
    assert len(MATRIX) == len(described - {("GET", "/v1/health")})


def test_admin_may_do_everything(front: Front, main: Mapping[str, Any]) -> None:
    for method, template, body, _, status in MATRIX:
        path = template.format_map({"id": main["id"], "token": front.issue_token(READ)[:16]})
        assert front.call(method, path, body).status_code == status, path


def test_view_credentials_alone_reads_nothing(front: Front) -> None:
    assert front.client(VIEW_CREDENTIALS).get("/v2/databases").status_code == 403


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer nonsense",
        "Bearer " + "0" * 64,
        "Bearer " + "A" * 64,
        "Basic " + "0" * 64,
        "0" * 64,
    ],
)
def test_no_token_or_a_wrong_one(front: Front, header: str | None) -> None:
    client = front.connect(None)
    headers = {} if header is None else {"authorization": header}
    for method, template, body, _, _ in MATRIX:
        path = template.format_map({"id": "any", "token": "any"})
        response = client.request(method, path, json=body, headers=headers)
        assert response.status_code == 401, path
        assert response.json()["id"] == "unauthorized"
        assert response.json()["message"] == "Unable to authenticate you."
        assert response.headers["www-authenticate"] == "Bearer"
    assert front.look()[0] == []


def test_who_calls_is_asked_before_what_they_sent(front: Front) -> None:
    client = front.connect(None)
    headers = {"content-type": "application/json"}
    malformed = client.post("/v2/databases", content=b"{", headers=headers)
    assert malformed.status_code == 401
    assert client.post("/v2/databases", json={}).status_code == 401
    assert front.client(READ).post("/v2/databases", json={}).status_code == 403


def test_scheme_may_be_in_any_case(front: Front) -> None:
    value = front.issue_token(READ)
    headers = {"authorization": f"bearer {value}"}
    assert front.connect(None).get("/v2/databases", headers=headers).status_code == 200


def test_expired_token(front: Front) -> None:
    past, future = (datetime.now(UTC) + timedelta(minutes=by) for by in (-1, 1))
    for expires_at, status in ((past, 401), (future, 200)):
        client = front.connect(front.issue_token(READ, expires_at=expires_at))
        assert client.get("/v2/databases").status_code == status


def test_health_needs_no_token(front: Front) -> None:
    response = front.connect(None).get("/v1/health")
    assert response.status_code == 200
    assert response.json()["status"] == "ok"
