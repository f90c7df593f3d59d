"""API tokens over ``/v1``."""

from __future__ import annotations

import re

from poolkeeper.domain.tokens import ADMIN, READ, VIEW_CREDENTIALS
from tests.api.front import Front


def test_story(front: Front) -> None:
    body = {"name": "ci", "scopes": [VIEW_CREDENTIALS, READ]}
    response = front.call("POST", "/v1/tokens", body)
    assert response.status_code == 201
    token = response.json()["token"]
    value = token.pop("value")
    assert re.fullmatch("[0-9a-f]{64}", value)
    assert token["name"] == "ci"
    assert token["scopes"] == [READ, VIEW_CREDENTIALS]
    assert token["expires_at"] is None and token["last_used_at"] is None

    assert front.connect(value).get("/v2/databases").status_code == 200
    assert front.connect(value).post("/v2/databases", json={}).status_code == 403
    listed = front.call("GET", "/v1/tokens").json()["tokens"]
    shown = next(other for other in listed if other["id"] == token["id"])
    assert shown.pop("last_used_at").endswith("Z")
    assert shown == {key: token[key] for key in token if key != "last_used_at"}
    assert value not in str(listed)

    gone = front.call("DELETE", f"/v1/tokens/{token['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert front.connect(value).get("/v2/databases").status_code == 401
    again = front.call("DELETE", f"/v1/tokens/{token['id']}")
    assert (again.status_code, again.json()["message"]) == (404, "not found")


def test_expiry_is_shown(front: Front) -> None:
    body = {"name": "short", "scopes": [READ], "expires_in_seconds": 3600}
    token = front.call("POST", "/v1/tokens", body).json()["token"]
    assert token["expires_at"] > token["created_at"]


def test_last_lasting_administrator_stays(front: Front) -> None:
    body = {"name": "short", "scopes": [ADMIN], "expires_in_seconds": 60}
    assert front.call("POST", "/v1/tokens", body).status_code == 201
    listed = front.call("GET", "/v1/tokens").json()["tokens"]
    lasting = next(token["id"] for token in listed if token["expires_at"] is None)
    response = front.call("DELETE", f"/v1/tokens/{lasting}")
    assert response.status_code == 422
    assert "the last lasting admin token cannot be revoked" in response.json()["message"]
    assert front.call("GET", "/v1/tokens").json()["tokens"] == listed
