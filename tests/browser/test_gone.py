"""Pages of what was deleted elsewhere meanwhile."""

from __future__ import annotations

import httpx
from playwright.sync_api import Page, expect

from tests.browser.test_first_story import find_barriers
from tests.plane import create_cluster

_POOL = {"mode": "session", "size": 1, "db": "defaultdb", "user": "doadmin"}


def test_a_page_whose_subject_is_deleted_says_so_and_lives_no_longer(
    owner: Page, api: httpx.Client
) -> None:
    base = f"/databases/{create_cluster(api, 'going')['id']}"
    for name in ("going", "staying"):
        api.post(f"/v2{base}/pools", json=_POOL | {"name": name})
    owner.goto(f"{base}/pools/going")
    expect(owner.get_by_role("link", name="Edit").first).to_be_visible()
    assert api.delete(f"/v2{base}/pools/going").status_code == 204
    alert = owner.get_by_role("alert")
    expect(alert).to_contain_text("This pool has been deleted")
    expect(owner.locator("main > [inert]").filter(has_text="Clients active")).to_have_count(1)
    expect(owner.locator("#toasts")).to_be_empty()
    # Nothing asks any more, not even the charts when somebody looks again.
    asked: list[str] = []
    owner.on("request", lambda request: asked.append(request.url))
    owner.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    owner.evaluate("fetch('/live/ping')")
    assert [url.rpartition("/")[2] for url in asked] == ["ping"]
    assert find_barriers(owner) == []
    alert.get_by_role("link", name="All pools of going").click()
    owner.wait_for_url(f"**{base}/pools")
    expect(owner.get_by_role("rowheader", name="staying")).to_be_visible()

    # With a window open over it.
    owner.get_by_role("link", name="Create a pool").click()
    # Its form has come: asked for later, it would be one more to say that all is gone.
    expect(owner.get_by_role("dialog").get_by_label("Name")).to_be_visible()
    assert api.delete(f"/v2{base}").status_code == 204
    expect(alert).to_contain_text("This database cluster has been deleted")
    expect(owner.get_by_role("dialog")).not_to_be_visible()
    alert.get_by_role("link", name="All databases").click()
    owner.wait_for_url("**/databases")
