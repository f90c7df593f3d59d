"""What a page says while a window is open over it, and what was typed in that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, sign_in
from tests.plane import create_cluster, running_plane

_IN_FRONT = """element => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return element.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}"""


def expect_in_front(element: Locator) -> None:
    """It is seen, and can be reached: nothing lies over it."""
    expect(element).to_be_visible()
    assert element.evaluate(_IN_FRONT)


def open_window(page: Page, api: httpx.Client, cluster: Mapping[str, Any]) -> Locator:
    """The one in which a pool is created, of a cluster that has one."""
    path = f"/databases/{cluster['id']}/pools"
    body = {"name": "there", "mode": "session", "size": 1, "db": "defaultdb", "user": "doadmin"}
    assert api.post(f"/v2{path}", json=body).status_code in (201, 422)
    page.goto(path)
    page.get_by_role("link", name="Create a pool").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    return dialog


def test_errors_are_seen_in_front_of_a_window(
    owner: Page, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    dialog = open_window(owner, api, cluster)
    dialog.get_by_label("Name").fill("web")
    # As from a page that was open for too long.
    owner.evaluate("document.querySelector('#new-pool [name=csrf]').value = 'old'")
    owner.evaluate("document.body.setAttribute('hx-headers', '{}')")
    dialog.get_by_role("button", name="Create the pool").click()
    toast = owner.locator(".toast.bad")
    expect(toast).to_contain_text("This form was not accepted")
    expect_in_front(toast)
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    expect(dialog.get_by_label("Name")).to_have_value("web")
    owner.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(owner.locator("body > #toasts")).to_have_count(1)


def test_a_window_says_that_the_control_plane_is_away(open_page: Open) -> None:
    with running_plane("--empty") as plane, plane.client() as api:
        cluster = create_cluster(api, "away")
        with open_page(base_url=plane.url) as page:
            sign_in(page, plane.token)
            open_window(page, api, cluster)
            plane.stop()
            banner = page.get_by_text("Poolkeeper is not reachable")
            expect_in_front(banner)
            plane.start("--empty")
            expect(banner).not_to_be_visible()
