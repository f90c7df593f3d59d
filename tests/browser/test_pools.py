"""Pools in a real browser, with real clients on them."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, sign_in
from tests.browser.test_first_story import find_barriers
from tests.plane import Plane, connect, create_cluster, wait_until


@pytest.fixture
def fresh(api: httpx.Client) -> Iterator[str]:
    """The id of a cluster without pools."""
    cluster = create_cluster(api, "pools-in-browser")
    yield str(cluster["id"])
    api.delete(f"/v2/databases/{cluster['id']}")


def find_row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.locator("a.name", has_text=name))


def create_in_window(page: Page) -> None:
    """What is wrong stands beside its field, and what was typed stays."""
    page.get_by_role("link", name="Create a pool").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Transaction")).to_be_checked()
    size = dialog.get_by_role("spinbutton", name="Size")
    expect(size).to_have_value("9")
    dialog.get_by_label("Name").fill("no!")
    dialog.get_by_role("slider").fill("12")
    expect(size).to_have_value("12")
    dialog.get_by_role("button", name="Create the pool").click()
    expect(dialog.locator("#error-name")).to_contain_text("3 to 63 characters")
    expect(dialog.get_by_label("Name")).to_be_focused()
    expect(size).to_have_value("12")
    dialog.get_by_label("Name").fill("web")
    page.keyboard.press("Enter")


def look_at_details(page: Page) -> str:
    """The password is hidden until asked for; what was not chosen is hidden. The URI."""
    page.locator("label", has_text="Connection string").click()
    shown = page.locator(".format-string")
    expect(shown).to_contain_text("doadmin:••••", use_inner_text=True)
    expect(page.locator(".format-parameters")).not_to_be_visible()
    page.get_by_label("Show the password").check()
    expect(shown).not_to_contain_text("••••", use_inner_text=True)
    # By keyboard as well: it is one group of radio buttons.
    page.locator("label", has_text="Django").click()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".driver-asyncpg")).to_be_visible()
    expect(page.locator(".driver-psycopg")).not_to_be_visible()
    uri = page.locator("#text-string").get_attribute("data-value")
    assert uri is not None
    return uri


def change_with_plan(page: Page) -> None:
    """The plan comes by itself, and so does what cannot be."""
    find_row(page, "web").get_by_role("link", name="Edit web").click()
    plan, size = page.locator("#plan"), page.get_by_role("spinbutton", name="Size")
    expect(plan).to_contain_text("Change something")
    size.fill("30")
    expect(page.locator("#size-error")).to_contain_text("asked for 30, 18 left of 22")
    expect(size).to_be_focused()
    expect(size).to_have_attribute("aria-invalid", "true")
    size.fill("3")
    expect(plan).to_contain_text("Size: 12 → 3")
    expect(page.locator("#size-error")).to_be_empty()
    page.get_by_label("Session").check()
    expect(plan).to_contain_text("Mode: transaction → session")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Pool web has been changed.")).to_be_visible()
    expect(find_row(page, "web")).to_contain_text("session")


def find_and_sort(page: Page) -> None:
    """Both have addresses."""
    names, search = page.locator("a.name"), page.get_by_role("searchbox")
    search.press_sequentially("the")
    expect(names).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=the"))
    search.fill("")
    expect(names).to_have_count(2)
    page.get_by_role("link", name="Size").click()
    expect(names.first).to_have_text("theirs")
    heading = page.get_by_role("columnheader", name="Size")
    expect(heading).to_have_attribute("aria-sort", "descending")


def delete_by_name(page: Page) -> None:
    find_row(page, "web").get_by_role("link", name="Delete web").click()
    expect(page.locator("[data-live='pool.web.clients_active']")).to_have_text("1")
    page.get_by_label("Type the pool’s name").fill("wep")
    page.get_by_role("button", name="Delete the pool").click()
    expect(page.locator("#error-confirm")).to_contain_text("type web to delete it")
    page.get_by_label("Type the pool’s name").fill("web")
    page.get_by_role("button", name="Delete the pool").click()
    expect(page.get_by_text("Pool web has been deleted.")).to_be_visible()
    expect(page.locator("a.name")).to_have_count(1)


def test_a_change_that_has_to_wait_says_so(
    owner: Page, plane: Plane, api: httpx.Client, fresh: str
) -> None:
    def find_poolers() -> list[int]:
        processes = api.get(f"/v1/clusters/{fresh}").json()["cluster"]["processes"]
        return [each["pid"] for each in processes if each["kind"] == "pgbouncer"]

    # They are described a moment after the cluster is online.
    [pooler] = wait_until("PgBouncer is among the processes", find_poolers)
    owner.goto(f"/databases/{fresh}/new-pool")
    owner.get_by_label("Name").fill("patient")
    os.kill(pooler, signal.SIGSTOP)
    try:
        owner.get_by_role("button", name="Create the pool").click()
        waits = owner.get_by_role("status").filter(has_text="Waiting until the cluster")
        expect(waits).to_contain_text("s at most.")
    finally:
        os.kill(pooler, signal.SIGCONT)
    owner.wait_for_url("**/pools/patient/connect")


def test_a_pool_from_its_creation_to_its_end(
    owner: Page, plane: Plane, api: httpx.Client, fresh: str
) -> None:
    page, path = owner, f"/databases/{fresh}/pools"
    page.goto(path)
    expect(page.get_by_text("No connection pool yet")).to_be_visible()
    expect(page.locator(".pool-tools")).not_to_be_visible()

    # Somebody else makes one: the table is there, and so is what goes with it.
    body = {"name": "theirs", "mode": "session", "size": 4, "db": "defaultdb", "user": "doadmin"}
    assert api.post(f"/v2{path}", json=body).status_code == 201
    expect(page.locator("a.name")).to_have_text("theirs")
    expect(page.get_by_role("heading", name="18 backend connections")).to_be_visible()

    create_in_window(page)
    page.wait_for_url(f"**{path}/web/connect")
    expect(page.get_by_text("Pool web has been created.")).to_be_visible()
    uri = look_at_details(page).replace("poolkeeper-ca.crt", str(plane.ca))
    with connect(uri) as client:
        client.execute("select 1")
        page.goto(path)
        active = find_row(page, "web").locator("[data-live='pool.web.clients_active']")
        expect(active).to_have_text("1")
        change_with_plan(page)
        client.execute("select 1")
        find_and_sort(page)
        delete_by_name(page)
    expect(page.get_by_role("heading", name="18 backend connections")).to_be_visible()


def test_pools_without_scripts(open_page: Open, plane: Plane, fresh: str) -> None:
    with open_page(java_script_enabled=False) as page:
        sign_in(page, plane.token)
        page.goto(f"/databases/{fresh}/pools")
        page.get_by_role("link", name="Create a pool").click()
        page.get_by_label("Name").fill("web")
        page.get_by_label("Statement").check()
        page.get_by_role("spinbutton", name="Size").fill("99")
        page.get_by_role("button", name="Create the pool").click()
        expect(page.locator("#error-size")).to_contain_text("22 left of 22")
        page.get_by_role("spinbutton", name="Size").fill("5")
        page.get_by_role("button", name="Create the pool").click()
        expect(page.locator(".format-parameters")).to_contain_text("••••", use_inner_text=True)
        page.get_by_label("Show the password").check()
        expect(page.locator(".format-parameters")).not_to_contain_text("••••", use_inner_text=True)
        page.get_by_role("link", name="Connection Pools").last.click()
        page.get_by_role("link", name="Edit web").click()
        page.get_by_label("Transaction").check()
        page.get_by_role("button", name="Show the plan").click()
        expect(page.locator("#plan")).to_contain_text("Mode: statement → transaction")
        page.get_by_role("button", name="Apply").click()
        page.get_by_role("link", name="Delete web").click()
        page.get_by_label("Type the pool’s name").fill("web")
        page.get_by_role("button", name="Delete the pool").click()
        expect(page.get_by_text("No connection pool yet")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_no_page_of_pools_keeps_anybody_out(
    open_page: Open,
    plane: Plane,
    api: httpx.Client,
    cluster: Mapping[str, Any],
    scheme: str,
    width: int,
) -> None:
    path, name = f"/databases/{cluster['id']}", "p" * 63
    body = {"name": name, "mode": "transaction", "size": 4, "db": "defaultdb", "user": "doadmin"}
    assert api.post(f"/v2{path}/pools", json=body).status_code in (201, 422)
    pages = (
        *("/pools", "/pools?q=nothing", "/new-pool", f"/pools/{name}/edit"),
        f"/pools/{name}/edit?db=defaultdb&user=&mode=session&size=99",
        f"/pools/{name}/edit?db=defaultdb&user=&mode=statement&size=9",
        *(f"/pools/{name}/delete", f"/pools/{name}/connect", "/connect"),
    )
    with open_page(width=width, color_scheme=scheme, bypass_csp=True) as page:
        sign_in(page, plane.token)
        for each in pages:
            page.goto(path + each)
            assert find_barriers(page) == [], each
            overflow = "document.documentElement.scrollWidth - innerWidth"
            assert page.evaluate(overflow) <= 0, each
        page.goto(f"{path}/pools")
        page.get_by_role("link", name="Create a pool").click()
        expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
        assert find_barriers(page) == []


def test_connection_details_tell_the_mode_that_there_is_now(
    owner: Page, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    place = f"/databases/{cluster['id']}/pools"
    shape = {"mode": "transaction", "size": 1, "db": "defaultdb", "user": "doadmin"}
    api.post(f"/v2{place}", json=shape | {"name": "changing"})
    owner.goto(f"{place}/changing/connect")
    expect(owner.locator("#connect-mode h2")).to_have_text("Transaction mode")
    owner.locator("label[for=driver-django]").click()
    api.put(f"/v2{place}/changing", json=shape | {"mode": "session"})
    expect(owner.locator("#connect-mode h2")).to_have_text("Session mode")
    expect(owner.locator("#connect-head .badge")).to_have_text("session")
    # What was chosen stays so.
    expect(owner.get_by_text("With CONN_MAX_AGE above 0")).to_be_visible()
    api.delete(f"/v2{place}/changing")


def test_who_is_about_to_delete_a_pool_sees_it_as_it_is_now(
    owner: Page, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    place = f"/databases/{cluster['id']}/pools"
    shape = {"mode": "transaction", "size": 1, "db": "defaultdb", "user": "doadmin"}
    api.post(f"/v2{place}", json=shape | {"name": "ending"})
    owner.goto(f"{place}/ending/delete")
    expect(owner.locator("#what-happens")).to_contain_text("Its 1 backend connection is")
    owner.get_by_label("Type the pool’s name").fill("chang")
    api.put(f"/v2{place}/ending", json=shape | {"size": 2})
    expect(owner.locator("#what-happens")).to_contain_text("Its 2 backend conn")
    expect(owner.get_by_label("Type the pool’s name")).to_have_value("chang")
    api.delete(f"/v2{place}/ending")
