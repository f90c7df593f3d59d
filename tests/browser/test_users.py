"""Users, databases and trusted sources in a real browser, and what servers make of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, sign_in
from tests.plane import Plane, connect, create_cluster, wait_until

_SECONDS = 1000.0


@pytest.fixture
def fresh(api: httpx.Client) -> Iterator[str]:
    """The id of a cluster of its own."""
    cluster = create_cluster(api, "users-in-browser")
    yield str(cluster["id"])
    api.delete(f"/v2/databases/{cluster['id']}")


def read_uri(api: httpx.Client, cluster_id: str, user: str, password: str, database: str) -> str:
    """Where to log in as that user, directly."""
    direct = api.get(f"/v2/databases/{cluster_id}").json()["database"]["connection"]
    place = f"{direct['host']}:{direct['port']}/{quote(database)}?sslmode=require"
    return f"postgresql://{user}:{quote(password)}@{place}"


def reveal_password(page: Page, user: str) -> str:
    """What the page of a user shows, which is hidden until asked for."""
    code = page.locator(f"#password-{user}")
    expect(code).not_to_be_visible()
    page.get_by_text("Show", exact=False).filter(has_text="the password of").click()
    expect(code).to_be_visible()
    return code.inner_text()


def create_user(page: Page, name: str) -> None:
    """What is wrong stands beside its field, and what was chosen stays."""
    form = page.locator("#new-user")
    form.get_by_label("User name").fill("no good")
    form.get_by_label("Allow replication").check()
    form.get_by_role("button", name="Create the user").click()
    expect(form.locator("#error-user")).to_contain_text("1 to 63 characters")
    expect(form.get_by_label("User name")).to_be_focused()
    expect(form.get_by_label("Allow replication")).to_be_checked()
    form.get_by_label("User name").fill(name)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/users/{name}")
    expect(page.get_by_text(f"User {name} has been created.")).to_be_visible()


def test_who_is_created_here_can_log_in_and_who_is_deleted_cannot(
    owner: Page, open_page: Open, plane: Plane, api: httpx.Client, fresh: str
) -> None:
    page, path = owner, f"/databases/{fresh}/users"
    with open_page(width=390) as other:
        sign_in(other, plane.token)
        other.goto(path)
        page.goto(path)
        create_user(page, "app")
        expect(other.get_by_role("link", name="app", exact=True)).to_be_visible()
    password = reveal_password(page, "app")
    _create_database(page, path)
    uri = read_uri(api, fresh, "app", password, "shop")
    with connect(uri) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("app",)
        _reset_password(page, path)
        # Who is connected stays connected.
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(uri)
    uri = read_uri(api, fresh, "app", reveal_password(page, "app"), "shop")
    with connect(uri) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    _delete_user(page, api, fresh)
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        connect(uri)
    _delete_database(page, path)


def _create_database(page: Page, path: str) -> None:
    page.goto(path)
    form = page.locator("#new-database")
    form.get_by_label("Database name").fill("postgres")
    form.get_by_role("button", name="Create the database").click()
    expect(form.locator("#error-database")).to_contain_text("choose another")
    form.get_by_label("Database name").fill("shop")
    form.get_by_role("button", name="Create the database").click()
    expect(page.locator("#dbs")).to_contain_text("shop")


def _reset_password(page: Page, path: str) -> None:
    page.goto(f"{path}/app")
    page.get_by_role("link", name="Reset the password").click()
    expect(page.get_by_text("Clients that are connected stay connected.")).to_be_visible()
    page.get_by_role("button", name="Reset the password").click()
    expect(page.get_by_text("User app has a new password.")).to_be_visible()


def _delete_user(page: Page, api: httpx.Client, cluster_id: str) -> None:
    """A pool of its own keeps it until that is gone."""
    pools = f"/v2/databases/{cluster_id}/pools"
    body = {"name": "web", "mode": "transaction", "size": 2, "db": "shop", "user": "app"}
    assert api.post(pools, json=body).is_success
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("alert")).to_contain_text("is used by 1 pool: web")
    assert api.delete(f"{pools}/web").is_success
    wait_until("the pool is gone", lambda: api.get(f"{pools}/web").status_code == 404)
    page.reload()
    page.get_by_role("button", name="Delete the user").click()
    expect(page.get_by_text("User app has been deleted.")).to_be_visible()
    expect(page.locator("#users")).not_to_contain_text("app")


def _delete_database(page: Page, path: str) -> None:
    page.goto(path)
    page.get_by_role("link", name="Delete… shop").click()
    page.get_by_label("Type the database’s name").fill("shop!")
    page.get_by_role("button", name="Delete the database").click()
    expect(page.locator("#error-confirm")).to_contain_text("type shop to delete it")
    page.get_by_label("Type the database’s name").fill("shop")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Database shop has been deleted.")).to_be_visible()
    expect(page.locator("#dbs")).not_to_contain_text("shop")


def test_a_new_user_makes_tables_once_its_page_was_heeded(
    owner: Page, api: httpx.Client, fresh: str
) -> None:
    base = f"/v2/databases/{fresh}"
    password = api.post(f"{base}/users", json={"name": "maker"}).json()["user"]["password"]
    assert api.post(f"{base}/dbs", json={"name": "orders"}).status_code == 201
    database = api.get(base).json()["database"]["connection"]
    with connect(read_uri(api, fresh, "maker", password, "orders")) as maker:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            maker.execute("CREATE TABLE items (id int)")
        owner.goto(f"/databases/{fresh}/users/maker")
        grants = owner.locator("#grants").inner_text()
        expect(owner.get_by_role("link", name="orders")).to_be_visible()
        as_owner = read_uri(api, fresh, database["user"], database["password"], "orders")
        with connect(as_owner) as doadmin:
            doadmin.execute(grants)
        maker.execute("CREATE TABLE items (id int)")
    owner.goto(f"/databases/{fresh}/users/{database['user']}")
    expect(owner.locator("#grants")).to_have_count(0)


def test_who_is_no_trusted_source_is_cut_and_refused(
    owner: Page, api: httpx.Client, fresh: str
) -> None:
    page, path = owner, f"/databases/{fresh}/trusted-sources"
    database: dict[str, Any] = api.get(f"/v2/databases/{fresh}").json()["database"]
    uri = database["connection"]["uri"]
    page.goto(path)
    expect(page.locator("#reach")).to_contain_text("Open to whoever can reach its ports")
    with connect(uri) as connection:
        _lock_oneself_out(page)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        connect(uri)
    # Back in, by what the page offers.
    expect(page.locator("#reach")).to_contain_text("not let in")
    page.get_by_role("button", name="Add this browser’s address").click()
    expect(page.locator("#reach")).to_contain_text("which is let in")
    with connect(uri) as connection:
        page.get_by_role("link", name="Remove… 192.0.2.0/24").click()
        page.get_by_role("button", name="Remove it").click()
        expect(page.locator("#sources")).not_to_contain_text("192.0.2.0/24")
        assert connection.execute("SELECT 1").fetchone() == (1,)
        page.get_by_role("link", name="Remove all…").click()
        expect(page.get_by_text("The cluster is open then")).to_be_visible()
        page.get_by_role("button", name="Remove all").click()
        expect(page.locator("#reach")).to_contain_text("Open to whoever can reach its ports")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def _lock_oneself_out(page: Page) -> None:
    page.get_by_label("Address or network", exact=True).fill("192.0.2.0/33")
    page.get_by_label("Description").fill("office")
    page.get_by_role("button", name="Add the source").click()
    expect(page.locator("#error-value")).to_contain_text("is no IP address")
    page.get_by_label("Address or network", exact=True).fill("192.0.2.0/24")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(re.compile("come from .* locked out"))
    expect(page.get_by_label("Description")).to_have_value("office")
    page.get_by_role("button", name="Add it all the same").click()
    expect(page.locator("#sources")).to_contain_text("192.0.2.0/24")


def test_users_are_found_while_one_types(owner: Page, api: httpx.Client) -> None:
    base = f"/databases/{create_cluster(api, 'many-users')['id']}"
    for number in range(11):
        assert api.post(f"/v2{base}/users", json={"name": f"user-{number}"}).status_code == 201
    owner.goto(f"{base}/users")
    links = owner.locator("#users tbody th a")
    expect(links).to_have_count(12)
    owner.get_by_role("searchbox").press_sequentially("user-1")
    expect(links).to_have_count(2)
    expect(owner.locator("#dbs")).to_contain_text("No database has “user-1” in its name.")
    expect(owner).to_have_url(re.compile(r"\?q=user-1$"))
    # What is loaded again is what was found.
    owner.locator("#users a").first.focus()
    assert api.post(f"/v2{base}/users", json={"name": "user-12"}).status_code == 201
    expect(links).to_have_count(3)
    owner.reload()
    expect(links).to_have_count(3)
    api.delete(f"/v2{base}")
