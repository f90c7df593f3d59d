"""Many tabs of one browser, which opens six connections to one server and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import Open, sign_in
from tests.plane import Plane, running_plane

_POOL = {"mode": "session", "size": 1, "db": "defaultdb", "user": "doadmin"}


def open_tabs(context: BrowserContext, path: str, count: int) -> list[Page]:
    tabs = [context.new_page() for _ in range(count)]
    for tab in tabs:
        tab.goto(path)
        expect(tab.get_by_role("link", name="Databases").first).to_be_visible()
    return tabs


def expect_pool(tabs: list[Page], name: str) -> None:
    for tab in tabs:
        link = tab.get_by_role("rowheader", name=name, exact=True)
        expect(link).to_be_visible()


def test_eight_tabs_of_a_browser_all_show_what_is_changed(
    open_page: Open, plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    path = f"/databases/{cluster['id']}/pools"
    with open_page() as page:
        sign_in(page, plane.token)
        tabs = open_tabs(page.context, path, 8)
        api.post(f"/v2{path}", json=_POOL | {"name": "seen-by-all"})
        expect_pool(tabs, "seen-by-all")
        # Whichever of them listens, others go on when it is closed or goes elsewhere.
        page.close()
        while len(tabs) > 2:
            tabs.pop(0).close()
            tabs[0].goto("/tokens")
            tabs[0].goto(path)
        api.delete(f"/v2{path}/seen-by-all")
        for tab in tabs:
            gone = tab.get_by_role("rowheader", name="seen-by-all", exact=True)
            expect(gone).to_have_count(0)


def test_every_tab_says_that_the_control_plane_is_away(open_page: Open) -> None:
    with running_plane("--empty") as plane, open_page(base_url=plane.url) as page:
        sign_in(page, plane.token)
        tabs = [page, *open_tabs(page.context, "/databases", 2)]
        plane.stop()
        for tab in tabs:
            expect(tab.get_by_text("Poolkeeper is not reachable")).to_be_visible()
        plane.start("--empty")
        for tab in tabs:
            expect(tab.get_by_text("Poolkeeper is not reachable")).not_to_be_visible()


def test_a_tab_that_hangs_is_not_waited_for(
    open_page: Open, plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    path = f"/databases/{cluster['id']}/pools"
    with open_page() as page:
        sign_in(page, plane.token)
        [tab] = open_tabs(page.context, path, 1)
        visit = page.locator("body").get_attribute("data-visit")
        # A page without a stream of its own takes the lock, and tells nobody anything.
        page.goto("/v2/account")
        page.evaluate(
            "name => void navigator.locks"
            ".request(name, {steal: true}, () => new Promise(() => {}))"
            ".catch(() => {})",
            f"poolkeeper-live-1 {visit}",
        )
        api.post(f"/v2{path}", json=_POOL | {"name": "seen-late"})
        link = tab.get_by_role("rowheader", name="seen-late", exact=True)
        expect(link).to_be_visible(timeout=80_000)
        api.delete(f"/v2{path}/seen-late")


def test_tabs_of_a_browser_that_cannot_share_listen_each_for_itself(
    open_page: Open, plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    path = f"/databases/{cluster['id']}/pools"
    with open_page() as page:
        page.context.add_init_script("delete Navigator.prototype.locks")
        sign_in(page, plane.token)
        tabs = open_tabs(page.context, path, 2)
        api.post(f"/v2{path}", json=_POOL | {"name": "seen-alone"})
        expect_pool(tabs, "seen-alone")
        api.delete(f"/v2{path}/seen-alone")


def test_where_locks_are_refused_tabs_listen_each_for_itself(
    open_page: Open, plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    path = f"/databases/{cluster['id']}/pools"
    with open_page() as page:
        page.context.add_init_script(
            "LockManager.prototype.request ="
            " () => Promise.reject(new DOMException('no storage', 'SecurityError'))"
        )
        sign_in(page, plane.token)
        tabs = open_tabs(page.context, path, 2)
        api.post(f"/v2{path}", json=_POOL | {"name": "seen-alone"})
        expect_pool(tabs, "seen-alone")
        api.delete(f"/v2{path}/seen-alone")


def test_a_page_without_a_stream_says_that_it_is_not_kept_true(
    owner: Page, cluster: Mapping[str, Any]
) -> None:
    # Others have taken all the room there is.
    owner.route("**/live?*", lambda route: route.fulfill(status=429))
    owner.goto(f"/databases/{cluster['id']}/pools")
    banner = owner.get_by_text("Poolkeeper is not reachable")
    expect(banner).to_be_visible()
    owner.unroute("**/live?*")
    expect(banner).not_to_be_visible()


def test_when_somebody_else_signs_in_no_tab_stays_with_who_was_before(
    open_page: Open, plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    scopes = ["database:read", "database:create"]
    token = api.post("/v1/tokens", json={"name": "next-one", "scopes": scopes}).json()["token"]
    path = f"/databases/{cluster['id']}/users"
    with open_page() as page:
        sign_in(page, plane.token)
        [tab] = open_tabs(page.context, path, 1)
        tab.get_by_label("User name").fill("half-done")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        sign_in(page, token["value"])
        # It is the other's page now, at the same place, without what was typed.
        other = tab.get_by_text("Signed in as next-one").first
        asked = tab.get_by_label("API token")
        expect(other.or_(asked).first).to_be_attached()
        if asked.count():
            # It was there before the other had signed in.
            tab.reload()
        expect(other).to_be_attached()
        assert tab.url.endswith(path)
        tab.goto("/events")
        tab.go_back()
        expect(tab.get_by_label("User name")).to_have_value("")
    api.delete(f"/v1/tokens/{token['id']}")


def test_a_change_while_a_page_is_on_its_way_is_shown(
    owner: Page, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    path = f"/databases/{cluster['id']}/pools"

    def change_first(route: Route) -> None:
        # The page is there, and does not listen yet.
        api.post(f"/v2{path}", json=_POOL | {"name": "on-the-way"})
        route.continue_()

    owner.route("**/live?*", change_first, times=1)
    owner.goto(path)
    expect_pool([owner], "on-the-way")
    api.delete(f"/v2{path}/on-the-way")
