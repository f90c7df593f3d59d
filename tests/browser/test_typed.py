"""What was typed and not sent: it outlives Escape, other colours, and a look elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.test_dialogs import open_window


def test_escape_closes_a_window_and_keeps_the_draft(
    owner: Page, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    dialog = open_window(owner, api, cluster)
    dialog.get_by_label("Name").fill("half-done")
    dialog.get_by_label("Session", exact=True).check()
    owner.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    owner.get_by_role("link", name="Create a pool").click()
    expect(dialog.get_by_label("Name")).to_have_value("half-done")
    expect(dialog.get_by_label("Session", exact=True)).to_be_checked()
    # Given up on purpose.
    # Until the page has its scripts, the link leads to another one.
    with owner.expect_event("load"):
        dialog.get_by_role("link", name="Cancel").click()
    owner.get_by_role("link", name="Create a pool").click()
    expect(dialog.get_by_label("Name")).to_have_value("")


def test_other_colours_leave_the_page_as_it_is(owner: Page, cluster: Mapping[str, Any]) -> None:
    owner.goto(f"/databases/{cluster['id']}/users")
    owner.get_by_label("User name").fill("half-done")
    with owner.expect_response("**/theme"):
        owner.get_by_role("button", name="Dark").click()
    expect(owner.locator("html")).to_have_attribute("data-theme", "dark")
    expect(owner.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    expect(owner.get_by_label("User name")).to_have_value("half-done")
    owner.reload()
    expect(owner.locator("html")).to_have_attribute("data-theme", "dark")


def test_charts_take_other_colours_at_once(owner: Page, cluster: Mapping[str, Any]) -> None:
    owner.goto(f"/databases/{cluster['id']}")
    canvas = owner.locator("canvas").first
    expect(canvas).to_be_visible()
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    owner.get_by_role("button", name="Dark").click()
    expect(owner.locator("html")).to_have_attribute("data-theme", "dark")
    owner.wait_for_function(
        "before => document.querySelector('canvas')?.toDataURL() !== before", arg=before
    )


def test_the_way_back_leads_to_what_was_typed(owner: Page, cluster: Mapping[str, Any]) -> None:
    path = f"/databases/{cluster['id']}/settings"
    owner.goto(path)
    owner.get_by_label("Names in the certificate").fill("half-done.test")
    owner.get_by_label("Day").select_option("friday")
    owner.get_by_role("link", name="Events").first.click()
    owner.wait_for_url("**/events")
    owner.go_back()
    expect(owner.get_by_label("Names in the certificate")).to_have_value("half-done.test")
    expect(owner.get_by_label("Day")).to_have_value("friday")
    # What was sent is no draft any more.
    owner.get_by_role("button", name="Save the window").click()
    expect(owner.locator("#maintenance-now")).to_contain_text("Friday")
    owner.goto(f"/databases/{cluster['id']}/users")
    owner.go_back()
    owner.get_by_role("button", name="Sign out").click()
    owner.wait_for_url("**/sign-in")
    left = owner.evaluate("Object.keys(sessionStorage)")
    assert not any(key.startswith("typed ") for key in left)


def test_a_draft_that_comes_back_overwrites_nothing_unseen(
    owner: Page, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    path = f"/databases/{cluster['id']}/settings"
    owner.goto(path)
    owner.get_by_label("Names in the certificate").fill("mine.test")
    owner.get_by_role("link", name="Events").first.click()
    owner.wait_for_url("**/events")
    names = {"do_settings": {"service_cnames": ["others.test"]}}
    api.put(f"/v2/databases/{cluster['id']}/do_settings", json=names).raise_for_status()
    owner.go_back()
    field = owner.get_by_label("Names in the certificate")
    expect(field).to_have_value("mine.test")
    owner.locator("#tls-form").get_by_role("button").first.click()
    expect(owner.locator("#error-service_cnames")).to_contain_text("is others.test now")
    expect(field).to_have_value("mine.test")
    none = {"do_settings": {"service_cnames": []}}
    api.put(f"/v2/databases/{cluster['id']}/do_settings", json=none).raise_for_status()


def test_a_setting_that_comes_back_is_marked_as_changed(
    owner: Page, cluster: Mapping[str, Any]
) -> None:
    owner.goto(f"/databases/{cluster['id']}/settings/configuration")
    owner.get_by_label("work_mem").first.fill("17")
    owner.get_by_role("link", name="Events").first.click()
    owner.wait_for_url("**/events")
    owner.go_back()
    expect(owner.locator("#field-work_mem")).to_have_value("17")
    expect(owner.locator("#planned")).to_contain_text("work_mem")


@pytest.fixture
def with_pool(api: httpx.Client, cluster: Mapping[str, Any]) -> Iterator[str]:
    """The pages of a cluster that has a pool, which goes afterwards."""
    base = f"/databases/{cluster['id']}"
    body = {"name": "typed", "mode": "session", "size": 1, "db": "defaultdb", "user": "doadmin"}
    assert api.post(f"/v2{base}/pools", json=body).status_code == 201
    yield base
    api.delete(f"/v2{base}/pools/typed")


def go_without_scripts(page: Page, path: str) -> None:
    """They come once nothing is routed any more."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile(r"\.js(\?.*)?$"), hold)
    page.goto(path, wait_until="commit")


@pytest.mark.parametrize(
    ("where", "lines"),
    [
        ("/pools", "#pools a.name"),
        ("/events", "#events tbody tr"),
        ("/settings/configuration", ".setting:not([hidden])"),
    ],
)
def test_what_is_looked_for_before_the_page_has_its_scripts_is_found(
    owner: Page, with_pool: str, where: str, lines: str
) -> None:
    go_without_scripts(owner, f"{with_pool}{where}")
    expect(owner.locator(lines)).not_to_have_count(0)
    owner.get_by_role("searchbox").first.fill("nobody-has-this")
    owner.unroute_all()
    expect(owner).to_have_url(re.compile(r"q=nobody-has-this"))
    expect(owner.locator(lines)).to_have_count(0)


def test_a_form_whose_answer_is_lost_is_not_said_to_have_failed(
    owner: Page, cluster: Mapping[str, Any]
) -> None:
    owner.goto(f"/databases/{cluster['id']}/users")

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.abort("connectionrefused")
        else:
            route.continue_()

    owner.route("**/users", lose)
    # While it is known that nobody answers, too.
    owner.evaluate("document.getElementById('banner').hidden = false")
    owner.get_by_label("User name").fill("lost")
    owner.get_by_role("button", name="Create the user").click()
    expect(owner.locator("#toasts")).to_contain_text("may have been made all the same")
    expect(owner.get_by_label("User name")).to_have_value("lost")


def test_what_is_chosen_before_the_page_has_its_scripts_is_planned(
    owner: Page, with_pool: str
) -> None:
    go_without_scripts(owner, f"{with_pool}/pools/typed/edit")
    owner.get_by_role("spinbutton", name="Size").fill("2")
    owner.unroute_all()
    expect(owner.locator("#plan")).to_contain_text("Size: 1 → 2")
    go_without_scripts(owner, f"{with_pool}/settings/resize")
    owner.get_by_label("Size").select_option("db-s-1vcpu-2gb")
    owner.unroute_all()
    expect(owner.locator("#effect")).to_contain_text("of 47 backend connections then")
