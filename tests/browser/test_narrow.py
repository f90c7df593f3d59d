"""On a phone, by fingers, and on what lies between a phone and a desk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, note_copying, sign_in
from tests.panel.addresses import list_pages
from tests.plane import Plane, wait_until

# Links within a sentence or a table are as high as their line; see WCAG 2.5.5.
SMALL = """() => [...document.querySelectorAll("button, input:not([type=hidden]), select, textarea,"
    + "summary, a.button, .tabs a, .spans a, .nav a")]
  .filter((each) => each.checkVisibility({ visibilityProperty: true }))
  .filter((each) => !each.closest("[popover], dialog, .visually-hidden"))
  .filter((each) => !each.matches("[type=radio], [type=checkbox]"))
  .filter((each) => each.getBoundingClientRect().height < 43.5)
  .map((each) => each.outerHTML.slice(0, 120))"""
SMALL_LETTERS = """() => [...document.querySelectorAll("input, select, textarea")]
  .filter((each) => each.checkVisibility() && parseFloat(getComputedStyle(each).fontSize) < 16)
  .filter((each) => !["radio", "checkbox", "range"].includes(each.type))
  .map((each) => each.outerHTML.slice(0, 120))"""


@pytest.fixture
def pools(api: httpx.Client, cluster: Mapping[str, Any]) -> Iterator[str]:
    """The address of a cluster with two pools."""
    base = f"/v2/databases/{cluster['id']}/pools"
    shape = {"mode": "transaction", "db": "defaultdb", "user": "doadmin"}
    for name, size in (("big", 9), ("small", 2)):
        assert api.post(base, json={"name": name, "size": size} | shape).status_code == 201
    yield f"/databases/{cluster['id']}"
    for name in ("big", "small"):
        api.delete(f"{base}/{name}")


def expect_names(page: Page, *names: str) -> None:
    """In that order; a page that is on its way has none yet."""
    expect(page.locator("a.name")).to_have_text(list(names))


def test_fingers_find_everything(
    open_page: Open, plane: Plane, cluster: Mapping[str, Any], pools: str
) -> None:
    with open_page(width=390, height=844, has_touch=True, is_mobile=True) as page:
        sign_in(page, plane.token)
        found = []
        for path in (*list_pages(cluster["id"], pool="big"), f"{pools}/settings/configuration"):
            page.goto(path)
            found += [f"{path} too small: {each}" for each in page.evaluate(SMALL)]
            found += [f"{path} small letters: {each}" for each in page.evaluate(SMALL_LETTERS)]
        assert not found, "\n".join(found)


def test_the_current_tab_is_seen(open_page: Open, plane: Plane, pools: str) -> None:
    with open_page(width=390, height=844) as page:
        sign_in(page, plane.token)
        for tab in ("events", "settings", "users"):
            page.goto(f"{pools}/{tab}")
            expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=0.99)


@pytest.mark.parametrize("width", [390, 768])
def test_what_has_no_headings_is_sorted_by_a_field(
    open_page: Open, plane: Plane, pools: str, width: int
) -> None:
    with open_page(width=width, java_script_enabled=False) as page:
        sign_in(page, plane.token)
        page.goto(f"{pools}/pools")
        expect_names(page, "big", "small")
        # Out of sight, headings take no focus either.
        expect(page.locator("thead a.sort").first).not_to_be_visible()
        page.get_by_label("Sort by").select_option("size")
        page.get_by_role("button", name="Sort").click()
        expect(page).to_have_url(re.compile("sort=size"))
        expect_names(page, "small", "big")
    with open_page(width=width) as page:
        sign_in(page, plane.token)
        page.goto(f"{pools}/pools?sort=size")
        page.get_by_label("Order").select_option("desc")
        expect(page).to_have_url(re.compile("order=desc"))
        expect_names(page, "big", "small")


def test_applying_a_plan_is_within_reach(open_page: Open, plane: Plane, pools: str) -> None:
    with open_page(width=390, height=844) as page:
        sign_in(page, plane.token)
        page.goto(f"{pools}/pools/small/edit")
        page.get_by_role("spinbutton", name="Size").fill("3")
        apply = page.get_by_role("button", name="Apply")
        expect(apply).to_be_in_viewport(ratio=1)
        page.get_by_role("link", name="1 change, nobody is disconnected").click()
        expect(page.locator("#plan dl")).to_be_in_viewport(ratio=1)
        apply.click()
        expect(page.get_by_text("Pool small has been changed.")).to_be_visible()


def test_what_numbers_mean_is_read_without_a_mouse(
    open_page: Open, plane: Plane, pools: str
) -> None:
    with open_page() as page:
        sign_in(page, plane.token)
        page.goto(pools)
        page.get_by_role("button", name="What these mean").first.press("Enter")
        meaning = page.get_by_text(
            "How long the client that waits longest has waited, in any pool."
        )
        expect(meaning).to_be_visible()
        page.keyboard.press("Escape")
        expect(meaning).not_to_be_visible()


def test_copying_is_said_and_the_button_is_itself_again(
    open_page: Open, plane: Plane, pools: str
) -> None:
    with open_page(permissions=["clipboard-read", "clipboard-write"]) as page:
        sign_in(page, plane.token)
        page.goto(f"{pools}/pools/big/connect")
        copy = page.get_by_role("button", name="Copy").first
        list_noted = note_copying(page)
        # However often it is pressed.
        copy.click()
        copy.click()
        wait_until("it is over", lambda: list_noted()[-2:] == ["Copy", ""])
        # Of the button, and of what is read out.
        assert list_noted()[:2] == ["Copied", "Copied"]
        assert set(list_noted()) == {"Copied", "Copy", ""}
        expect(copy).to_have_text("Copy")
        expect(page.locator("#said")).to_be_empty()


def test_dots_are_not_offered_for_a_password(owner: Page, pools: str) -> None:
    """Where a browser does not let pages copy, people are to copy what is selected."""
    owner.goto(f"{pools}/pools/big/connect")
    refuse = "() => Promise.reject(new Error('not allowed'))"
    owner.evaluate(f"() => {{ navigator.clipboard.writeText = {refuse} }}")
    owner.locator("label", has_text="Connection string").click()
    copy = owner.get_by_role("button", name="Copy Connection string")
    copy.click()
    expect(copy).to_have_text("Show the password first")
    assert owner.evaluate("getSelection().toString()") == ""
    owner.get_by_label("Show the password").check()
    copy.click()
    expect(copy).to_have_text("Press Ctrl+C")
    value = owner.locator("#text-string").get_attribute("data-value")
    assert owner.evaluate("getSelection().toString()") == value


def test_charts_have_the_time_of_all_the_rest(open_page: Open, plane: Plane, pools: str) -> None:
    with open_page(timezone_id="Asia/Kathmandu") as page:
        sign_in(page, plane.token)
        page.goto(f"{pools}/pools/big")
        figure = page.locator("[data-chart=clients]")
        expect(figure.locator("canvas")).to_be_visible()
        figure.locator(".plot").hover()
        head = figure.locator(".key thead th").nth(1)
        # Once in a while the chart is drawn anew, and tells what is now.
        shown = wait_until(
            "a moment is told", lambda: re.match(r"\d\d:\d\d:\d\d", head.inner_text())
        )[0]
        figure.get_by_text("What it shows, and a table").click()
        moments = figure.locator(".rows tbody th").all_inner_texts()
        hours = {moment.split()[1][:2] for moment in moments}
        assert shown[:2] in hours
