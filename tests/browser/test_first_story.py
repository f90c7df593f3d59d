"""Sign in, create a cluster, watch it come, see changes of others, sign out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, sign_in
from tests.creation import held_creation
from tests.plane import Plane, running_plane

AXE = Path(__file__).parents[2] / ".setup/panel/node_modules/axe-core/axe.min.js"


def find_barriers(page: Page) -> list[str]:
    """What axe finds that would keep somebody out: serious and critical findings."""
    page.evaluate(AXE.read_text())
    found: Any = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {json.dumps([node['html'] for node in each['nodes']])[:300]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def test_from_signing_in_to_signing_out(visitor: Page, plane: Plane, api: httpx.Client) -> None:
    page = visitor
    page.goto("/databases")
    page.get_by_label("API token").fill("0" * 64)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no such token")
    page.get_by_label("API token").fill(plane.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Databases")).to_be_visible()

    page.get_by_role("link", name="Create a database cluster").click()
    page.get_by_label("Name").fill("Not A Name")
    page.get_by_label("Region").select_option("fra1")
    page.get_by_role("button", name="Create the cluster").click()
    error = page.locator("#error-name")
    expect(error).to_contain_text("3 to 63 characters")
    expect(page.get_by_label("Name")).to_be_focused()
    expect(page.get_by_label("Region")).to_have_value("fra1")
    page.get_by_label("Name").fill("from-browser")
    with held_creation(plane):
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/databases/[0-9a-f-]{36}$"))
        expect(page.get_by_text("Being created")).to_be_visible()
    expect(page.locator(".page-head .badge")).to_have_text("Online", timeout=60_000)
    expect(page.get_by_text("Being created")).not_to_be_visible()
    cluster_id = page.url.rpartition("/")[2]

    # Somebody else makes a pool: it is there within two seconds, without anybody's doing.
    body = {"name": "web", "mode": "session", "size": 7, "db": "defaultdb", "user": "doadmin"}
    assert api.post(f"/v2/databases/{cluster_id}/pools", json=body).status_code == 201
    expect(page.get_by_text("7 of 22 held by pools, 15 free")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto(f"/databases/{cluster_id}")
    expect(page).to_have_url(re.compile("/sign-in\\?next="))
    api.delete(f"/v2/databases/{cluster_id}")


def test_a_link_signs_in_by_itself_and_once(visitor: Page, plane: Plane) -> None:
    url = plane.run("panel").stdout.strip()
    visitor.goto(url)
    visitor.wait_for_url("**/databases")
    visitor.get_by_role("button", name="Sign out").click()
    visitor.wait_for_url("**/sign-in")
    visitor.goto(url)
    expect(visitor.get_by_role("alert")).to_contain_text("has been used already")


def test_who_may_not_read_is_told_so_and_not_led_around(visitor: Page, api: httpx.Client) -> None:
    body = {"name": "creator", "scopes": ["database:create"]}
    token = api.post("/v1/tokens", json=body).json()["token"]
    sign_in(visitor, token["value"])
    expect(visitor.get_by_role("heading", name="Your token does not allow this")).to_be_visible()
    visitor.goto("/databases/new")
    visitor.get_by_label("Name").fill("typed")
    asked: list[str] = []
    visitor.on("request", lambda request: asked.append(request.url))
    visitor.wait_for_timeout(1500)
    assert asked == []
    expect(visitor.get_by_label("Name")).to_have_value("typed")
    api.delete(f"/v1/tokens/{token['id']}")


def test_everything_works_without_scripts(open_page: Open, plane: Plane) -> None:
    with open_page(java_script_enabled=False) as page:
        sign_in(page, plane.token)
        page.get_by_role("link", name="Create a database cluster").first.click()
        page.get_by_label("Name").fill("x")
        page.get_by_role("button", name="Create the cluster").click()
        expect(page.locator("#error-name")).to_be_visible()
        page.get_by_role("link", name="Tokens").click()
        page.get_by_label("Name").fill("without scripts")
        page.get_by_role("button", name="Create the token").click()
        value = page.locator("#new-token-value").inner_text()
        assert re.fullmatch("[0-9a-f]{64}", value)
        row = page.get_by_role("row").filter(has_text="without scripts")
        row.get_by_role("button", name="Revoke…").click()
        row.get_by_role("button", name="Revoke the token").click()
        expect(page.get_by_text("The token has been revoked.")).to_be_visible()
        page.get_by_role("button", name="Dark").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_pages_survive_a_restart_and_say_so_meanwhile(open_page: Open) -> None:
    with running_plane("--empty") as plane, open_page(base_url=plane.url) as page:
        sign_in(page, plane.token)
        expect(page.get_by_text("No database cluster yet")).to_be_visible()
        plane.stop()
        expect(page.get_by_text("Poolkeeper is not reachable")).to_be_visible()
        plane.start("--empty")
        expect(page.get_by_text("Poolkeeper is not reachable")).not_to_be_visible()
        expect(page.get_by_role("heading", name="Databases")).to_be_visible()
