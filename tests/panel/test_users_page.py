"""Users and databases in the panel, by plain forms."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.tokens import (
    ADMIN,
    CREATE,
    DELETE,
    READ,
    SCOPES,
    UPDATE,
    VIEW_CREDENTIALS,
)
from poolkeeper.usecases.databases import create_database, list_databases
from poolkeeper.usecases.pools import create_pool
from poolkeeper.usecases.users import create_user, get_user, list_users
from tests.panel.browsing import Panel


@pytest.fixture
def cluster_id(panel: Panel) -> UUID:
    return panel.create_cluster()


@pytest.fixture
def base(cluster_id: UUID) -> str:
    return f"/databases/{cluster_id}"


def add_pool(panel: Panel, cluster_id: UUID, name: str, db: str, user: str | None) -> None:
    shape = PoolShape(db, user, PoolMode.TRANSACTION, 2)
    create_pool(panel.context, "test", cluster_id, name, shape)


def list_names(panel: Panel, cluster_id: UUID) -> tuple[list[str], list[str]]:
    users = [user.name for user in list_users(panel.context, cluster_id)]
    return users, [database.name for database in list_databases(panel.context, cluster_id)]


def read_error(page: str, field: str) -> str:
    found = re.search(rf'<p class="error" id="error-{field}">([^<]*)</p>', page)
    assert found, f"no error beside {field}"
    return found[1]


def test_users_and_databases_are_listed_with_their_pools(
    panel: Panel, cluster_id: UUID, base: str
) -> None:
    create_user(panel.context, "test", cluster_id, "app", allow_replication=True)
    create_database(panel.context, "test", cluster_id, "orders")
    add_pool(panel, cluster_id, "web", "orders", "app")
    add_pool(panel, cluster_id, "anyone", "orders", None)
    page = panel.browse_as(READ).get(f"{base}/users").text
    rows = {
        name: row
        for row in page.split("<tr>")
        for name in re.findall(r'<th scope="row">(?:<a [^>]*>)?([^<\s]+)', row)
    }
    assert {"doadmin", "app", "defaultdb", "orders"} == rows.keys()
    assert f'{base}/pools/web"' in rows["app"] and "allowed" in rows["app"]
    assert "primary" in rows["doadmin"] and "allowed" not in rows["doadmin"]
    assert f'{base}/pools/anyone"' in rows["orders"] and f'{base}/pools/web"' in rows["orders"]
    assert "Each of them may also log in to" in page


@pytest.mark.parametrize("path", ["/users", "/users/app", "/users/app/reset-password"])
def test_passwords_are_for_those_who_may_see_them(
    panel: Panel, cluster_id: UUID, base: str, path: str
) -> None:
    password = create_user(panel.context, "test", cluster_id, "app").password
    others = sorted(set(SCOPES) - {VIEW_CREDENTIALS, ADMIN})
    answer = panel.browse_as(*others).get(f"{base}{path}")
    assert answer.status_code == 200
    for user in list_users(panel.context, cluster_id):
        assert user.password not in answer.text
    if path.endswith("reset-password"):
        assert "somebody else has to read the new one" in answer.text
        return
    assert "hidden</span>" in answer.text
    answer = panel.browse_as(READ, VIEW_CREDENTIALS).get(f"{base}{path}")
    # Behind a reveal, and kept by nobody on the way.
    assert f'<code id="password-app" tabindex="0">{password}</code>' in answer.text
    assert answer.text.index('<details class="secret">') < answer.text.index(password)
    assert answer.headers["cache-control"] == "no-store"


def test_a_user_is_created_and_its_password_can_be_read(
    panel: Panel, cluster_id: UUID, base: str
) -> None:
    browser = panel.browse_as(READ, CREATE, VIEW_CREDENTIALS)
    browser.get(f"{base}/users")
    answer = browser.send(f"{base}/users", {"user": " app ", "replication": "yes"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/users/app")
    user = get_user(panel.context, cluster_id, "app")
    assert user.allow_replication
    page = browser.get(f"{base}/users/app").text
    assert "User app has been created." in page and user.password in page
    assert f'{base}/connect?user=app"' in page


def test_a_database_is_created(panel: Panel, cluster_id: UUID, base: str) -> None:
    browser = panel.browse_as(READ, CREATE)
    browser.get(f"{base}/users")
    answer = browser.send(f"{base}/users", {"database": "orders"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/users")
    assert "Database orders has been created." in browser.get(f"{base}/users").text
    assert list_names(panel, cluster_id) == (["doadmin"], ["defaultdb", "orders"])


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("user", "", "1 to 63 characters"),
        ("user", 'a"><b>', "1 to 63 characters"),
        ("user", "postgres", "is reserved; choose another"),
        ("user", "doadmin", "user name is not available"),
        ("database", "", "1 to 63 characters"),
        ("database", "n" * 64, "1 to 63 characters"),
        ("database", "template1", "own; choose another"),
        ("database", "defaultdb", "database name is not available"),
    ],
)
@pytest.mark.parametrize("htmx", [{}, {"hx_request": "true"}])
def test_an_error_stands_beside_its_field_and_nothing_typed_is_lost(
    panel: Panel,
    cluster_id: UUID,
    base: str,
    field: str,
    value: str,
    says: str,
    htmx: dict[str, str],
) -> None:
    browser = panel.browse_as(READ, CREATE)
    browser.get(f"{base}/users")
    answer = browser.send(f"{base}/users", {field: value, "replication": "yes"}, **htmx)
    assert answer.status_code == 422
    assert says in read_error(answer.text, field)
    assert "<b>" not in answer.text
    typed = value.replace('"', "&#34;").replace("<", "&lt;").replace(">", "&gt;")
    assert f'name="{field}" value="{typed}"' in answer.text
    if field == "user":
        assert 'name="replication" value="yes" checked' in answer.text
    assert list_names(panel, cluster_id) == (["doadmin"], ["defaultdb"])


def test_what_postgresql_refuses_is_said_above_the_form(
    panel: Panel, cluster_id: UUID, base: str
) -> None:
    panel.reconciler.refusals["user:app"] = "PostgreSQL would not have <it>"
    browser = panel.browse_as(READ, CREATE)
    browser.get(f"{base}/users")
    answer = browser.send(f"{base}/users", {"user": "app"})
    assert answer.status_code == 422
    assert "PostgreSQL would not have &lt;it&gt;" in answer.text
    assert 'name="user" value="app"' in answer.text
    assert list_names(panel, cluster_id)[0] == ["doadmin"]


def test_replication_is_switched_on_and_off(panel: Panel, cluster_id: UUID, base: str) -> None:
    create_user(panel.context, "test", cluster_id, "app")
    browser = panel.browse_as(READ, UPDATE)
    for fields, allowed in (({"replication": "yes"}, True), ({}, False)):
        browser.get(f"{base}/users/app")
        answer = browser.send(f"{base}/users/app", fields)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/users/app")
        assert get_user(panel.context, cluster_id, "app").allow_replication is allowed
        page = browser.get(f"{base}/users/app").text
        assert ('value="yes" checked' in page) is allowed


def test_a_new_password_is_given_after_saying_what_that_means(
    panel: Panel, cluster_id: UUID, base: str
) -> None:
    before = create_user(panel.context, "test", cluster_id, "app")
    add_pool(panel, cluster_id, "web", "defaultdb", "app")
    browser = panel.browse_as(READ, UPDATE, VIEW_CREDENTIALS)
    page = browser.get(f"{base}/users/app/reset-password").text
    assert "Clients that are connected stay connected." in page
    assert "New logins need the new password" in page and f'{base}/pools/web"' in page
    assert get_user(panel.context, cluster_id, "app") == before
    answer = browser.send(f"{base}/users/app/reset-password")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/users/app")
    after = get_user(panel.context, cluster_id, "app")
    assert after.password != before.password
    page = browser.get(f"{base}/users/app").text
    assert "User app has a new password." in page and after.password in page


def test_a_user_is_deleted(panel: Panel, cluster_id: UUID, base: str) -> None:
    create_user(panel.context, "test", cluster_id, "app")
    browser = panel.browse_as(READ, DELETE)
    assert "goes to doadmin" in browser.get(f"{base}/users/app/delete").text
    answer = browser.send(f"{base}/users/app/delete")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/users")
    assert list_names(panel, cluster_id)[0] == ["doadmin"]
    assert "User app has been deleted." in browser.get(f"{base}/users").text
    assert browser.send(f"{base}/users/app/delete").status_code == 404


def test_a_database_is_deleted_when_its_name_was_typed(
    panel: Panel, cluster_id: UUID, base: str
) -> None:
    create_database(panel.context, "test", cluster_id, "orders")
    browser = panel.browse_as(READ, DELETE)
    assert "gone for good" in browser.get(f"{base}/dbs/orders/delete").text
    answer = browser.send(f"{base}/dbs/orders/delete", {"confirm": "order"})
    assert answer.status_code == 422
    assert "type orders to delete it" in read_error(answer.text, "confirm")
    assert 'name="confirm" value="order"' in answer.text
    assert list_names(panel, cluster_id)[1] == ["defaultdb", "orders"]
    answer = browser.send(f"{base}/dbs/orders/delete", {"confirm": "orders"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/users")
    assert list_names(panel, cluster_id)[1] == ["defaultdb"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (
            "users/app/delete",
            "user &#39;app&#39; is used by 1 pool: web; delete or change it first",
        ),
        ("users/doadmin/delete", "belongs to every cluster and cannot be deleted"),
        ("dbs/orders/delete", "database &#39;orders&#39; is used by 1 pool: web"),
        ("dbs/defaultdb/delete", "belongs to every cluster and cannot be deleted"),
    ],
)
def test_what_is_needed_stays_and_the_page_says_why(
    panel: Panel, cluster_id: UUID, base: str, path: str, says: str
) -> None:
    create_user(panel.context, "test", cluster_id, "app")
    create_database(panel.context, "test", cluster_id, "orders")
    add_pool(panel, cluster_id, "web", "orders", "app")
    before = list_names(panel, cluster_id)
    browser = panel.browse_as(READ, DELETE)
    page = browser.get(f"{base}/{path}").text
    assert says in page and 'class="button primary danger"' not in page
    answer = browser.send(f"{base}/{path}", {"confirm": path.split("/")[1]})
    assert answer.status_code == 422 and says in answer.text
    assert list_names(panel, cluster_id) == before


@pytest.mark.parametrize(
    ("path", "scope", "shows"),
    [
        ("users", CREATE, True),
        ("users/app", UPDATE, True),
        ("users/app/reset-password", UPDATE, False),
        ("users/app/delete", DELETE, False),
        ("dbs/orders/delete", DELETE, False),
    ],
)
def test_each_form_needs_its_scope(
    panel: Panel, cluster_id: UUID, base: str, path: str, scope: str, shows: bool
) -> None:
    """``shows``: the page has more than the form, and is for all who may read."""
    user = create_user(panel.context, "test", cluster_id, "app")
    create_database(panel.context, "test", cluster_id, "orders")
    before = list_names(panel, cluster_id)
    browser = panel.browse_as(*sorted({READ, CREATE, UPDATE, DELETE} - {scope}))
    answer = browser.get(f"{base}/{path}")
    assert answer.status_code == (200 if shows else 403)
    assert f'hx-post="{base}/{path}"' not in answer.text
    sent = {"user": "new", "replication": "yes", "confirm": "orders"}
    assert browser.send(f"{base}/{path}", sent).status_code == 403
    assert list_names(panel, cluster_id) == before
    assert get_user(panel.context, cluster_id, "app") == user


def test_nobody_is_offered_what_their_token_may_not_do(
    panel: Panel, cluster_id: UUID, base: str
) -> None:
    create_user(panel.context, "test", cluster_id, "app")
    create_database(panel.context, "test", cluster_id, "orders")
    browser = panel.browse_as(READ)
    for path in ("users", "users/app"):
        page = browser.get(f"{base}/{path}").text
        assert "hx-post" not in page and "/delete" not in page and "reset-password" not in page
    browser = panel.browse_as(ADMIN)
    assert "/dbs/orders/delete" in browser.get(f"{base}/users").text
    assert "/dbs/defaultdb/delete" not in browser.get(f"{base}/users").text
    assert "/users/app/delete" in browser.get(f"{base}/users/app").text
    assert "/users/doadmin/delete" not in browser.get(f"{base}/users/doadmin").text


@pytest.mark.parametrize(
    "path",
    [
        "users/nobody",
        "users/nobody/delete",
        "users/nobody/reset-password",
        "dbs/nowhere/delete",
        "users/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "dbs/%3Cscript%3Ealert(1)%3C%2Fscript%3E/delete",
    ],
)
def test_what_is_not_there(panel: Panel, base: str, path: str) -> None:
    answer = panel.browse_as(ADMIN).get(f"{base}/{path}")
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
