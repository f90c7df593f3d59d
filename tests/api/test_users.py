"""Users over ``/v2``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from poolkeeper.domain.tokens import CREATE, READ, UPDATE, VIEW_CREDENTIALS
from tests.api.front import Front

Cluster = Mapping[str, Any]


@pytest.mark.parametrize("name", ["app", "my-app", "MyApp", "app.reader"])
def test_story(front: Front, main: Cluster, name: str) -> None:
    users = f"/v2/databases/{main['id']}/users"
    created = front.call("POST", users, {"name": name})
    user = created.json()["user"]
    assert created.status_code == 201
    assert user == {"name": name, "role": "normal", "password": user["password"]}
    assert len(user["password"]) == 24
    got = front.call("GET", f"{users}/{name}")
    assert (got.status_code, got.json()) == (200, {"user": user})
    listed = front.call("GET", users)
    assert listed.status_code == 200
    assert listed.json() == {"users": [*main["users"], user]}
    deleted = front.call("DELETE", f"{users}/{name}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert front.call("GET", f"{users}/{name}").json()["message"] == "not found"


@pytest.mark.parametrize("settings", [None, {}, {"pg_allow_replication": False}])
def test_settings_that_say_nothing_are_not_shown(
    front: Front, main: Cluster, settings: object
) -> None:
    # Terraform would take them for a change.
    body = {"name": "app", "settings": settings}
    response = front.call("POST", f"/v2/databases/{main['id']}/users", body)
    assert response.status_code == 201
    assert "settings" not in response.json()["user"]


def test_update_answers_201(front: Front, main: Cluster) -> None:
    users = f"/v2/databases/{main['id']}/users"
    front.call("POST", users, {"name": "app"})
    allowed = front.call("PUT", f"{users}/app", {"settings": {"pg_allow_replication": True}})
    assert allowed.status_code == 201
    assert allowed.json()["user"]["settings"] == {"pg_allow_replication": True}
    assert front.call("GET", f"{users}/app").json() == allowed.json()
    same = front.call("PUT", f"{users}/app", {"settings": {}})
    assert (same.status_code, same.json()) == (201, allowed.json())
    revoked = front.call("PUT", f"{users}/app", {"settings": {"pg_allow_replication": False}})
    assert revoked.status_code == 201
    assert "settings" not in revoked.json()["user"]


def test_replication_may_be_allowed_at_once(front: Front, main: Cluster) -> None:
    body = {"name": "replica", "settings": {"pg_allow_replication": True}}
    user = front.call("POST", f"/v2/databases/{main['id']}/users", body).json()["user"]
    assert user["settings"] == {"pg_allow_replication": True}


@pytest.mark.parametrize("body", [{}, {"settings": None}, {"settings": {}}])
def test_a_change_that_says_nothing_changes_nothing(
    front: Front, main: Cluster, body: object
) -> None:
    users = f"/v2/databases/{main['id']}/users"
    before = front.call("POST", users, {"name": "app", "readonly": False}).json()
    answer = front.call("PUT", f"{users}/app", body)
    assert (answer.status_code, answer.json()) == (201, before)
    assert front.call("PUT", f"{users}/nobody", body).status_code == 404


@pytest.mark.parametrize("body", [{}, None, {"mysql_settings": {"auth_plugin": "x"}}])
def test_reset_auth_gives_another_password(front: Front, main: Cluster, body: object) -> None:
    users = f"/v2/databases/{main['id']}/users"
    before = front.call("POST", users, {"name": "app"}).json()["user"]
    response = front.call("POST", f"{users}/app/reset_auth", body)
    assert response.status_code == 200
    after = response.json()["user"]
    assert after["name"] == "app"
    assert after["password"] != before["password"]
    assert front.call("GET", f"{users}/app").json()["user"] == after


def test_reset_auth_of_doadmin_reaches_every_uri(front: Front, main: Cluster) -> None:
    cluster = f"/v2/databases/{main['id']}"
    reset = front.call("POST", f"{cluster}/users/doadmin/reset_auth", {}).json()["user"]
    assert reset["role"] == "primary"
    shown = front.call("GET", cluster).json()["database"]["connection"]
    assert shown["password"] == reset["password"] != main["connection"]["password"]


def test_taken_and_protected_and_unknown(front: Front, main: Cluster) -> None:
    users = f"/v2/databases/{main['id']}/users"
    taken = front.call("POST", users, {"name": "doadmin"})
    assert (taken.status_code, taken.json()["message"]) == (422, "user name is not available")
    protected = front.call("DELETE", f"{users}/doadmin")
    assert protected.status_code == 422
    assert protected.json()["message"] == (
        "user 'doadmin' belongs to every cluster and cannot be deleted"
    )
    settings = {"settings": {"pg_allow_replication": True}}
    for method, path, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("PUT", "", settings),
        ("POST", "/reset_auth", {}),
    ):
        response = front.call(method, f"{users}/nobody{path}", body)
        assert (response.status_code, response.json()["message"]) == (404, "not found")


def test_deleting_one_that_a_pool_uses_names_it(front: Front, main: Cluster) -> None:
    cluster = f"/v2/databases/{main['id']}"
    front.call("POST", f"{cluster}/users", {"name": "app"})
    body = {"name": "web", "mode": "transaction", "size": 1, "db": "defaultdb", "user": "app"}
    assert front.call("POST", f"{cluster}/pools", body).status_code == 201
    response = front.call("DELETE", f"{cluster}/users/app")
    assert response.status_code == 422
    assert response.json()["message"] == (
        "user 'app' is used by 1 pool: web; delete or change it first"
    )
    assert front.call("GET", f"{cluster}/users/app").status_code == 200


def test_passwords_are_hidden_without_the_scope(front: Front, main: Cluster) -> None:
    users = f"/v2/databases/{main['id']}/users"
    created = front.client(CREATE).post(users, json={"name": "app"}).json()["user"]
    reset = front.client(UPDATE).post(f"{users}/app/reset_auth", json={}).json()["user"]
    got = front.client(READ).get(f"{users}/app").json()["user"]
    listed = front.client(READ).get(users).json()["users"]
    assert {user["password"] for user in (created, reset, got, *listed)} == {""}
    seen = front.client(READ, VIEW_CREDENTIALS).get(f"{users}/app").json()["user"]
    assert len(seen["password"]) == 24
