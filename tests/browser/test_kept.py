"""What is loaded again because something was changed elsewhere leaves people where they were."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.browser.conftest import Open, sign_in
from tests.plane import Plane

_POOL = {"mode": "session", "size": 1, "db": "defaultdb", "user": "doadmin"}


@pytest.fixture
def path(api: httpx.Client, cluster: Mapping[str, Any]) -> Iterator[str]:
    """A cluster with one pool, and one that a test may create; both go afterwards."""
    base = f"/databases/{cluster['id']}"
    api.post(f"/v2{base}/pools", json=_POOL | {"name": "kept-first"})
    yield base
    for name in ("kept-first", "kept-second"):
        api.delete(f"/v2{base}/pools/{name}")


def change(page: Page, api: httpx.Client, path: str, region: str) -> None:
    """Something is changed elsewhere, and that part of the page was loaded again."""
    page.evaluate(f"document.getElementById('{region}').dataset.old = 'yes'")
    api.post(f"/v2{path}/pools", json=_POOL | {"name": "kept-second"})
    expect(page.locator(f"#{region}[data-old]")).to_have_count(0)
    expect(page.locator(f"#{region}")).to_be_visible()


def test_the_keyboard_stays_where_it_was(owner: Page, api: httpx.Client, path: str) -> None:
    owner.goto(f"{path}/pools")
    link = owner.get_by_role("link", name="Edit kept-first")
    link.focus()
    change(owner, api, path, "pools")
    expect(link).to_be_focused()
    # Gone itself: the keyboard is still in that part.
    assert api.delete(f"/v2{path}/pools/kept-first").status_code == 204
    expect(link).to_have_count(0)
    expect(owner.locator("#pools")).to_be_focused()
    # And stays there, whatever else is changed.
    owner.evaluate("document.getElementById('pools').dataset.old = 'yes'")
    api.put(f"/v2{path}/pools/kept-second", json=_POOL | {"size": 2}).raise_for_status()
    expect(owner.locator("#pools[data-old]")).to_have_count(0)
    expect(owner.locator("#pools")).to_be_focused()


def test_a_table_stays_scrolled(
    open_page: Open, plane: Plane, api: httpx.Client, path: str
) -> None:
    with open_page(bypass_csp=True) as page:
        sign_in(page, plane.token)
        page.goto(f"{path}/pools")
        # Wider than any screen, as with long names on a small one.
        page.add_style_tag(content="table.pools { min-width: 3000px }")
        scrolled = page.locator("#pools .table-wrap")
        scrolled.evaluate("element => { element.scrollLeft = 90 }")
        before = scrolled.evaluate("element => element.scrollLeft")
        assert before > 0
        change(page, api, path, "pools")
        assert scrolled.evaluate("element => element.scrollLeft") == before


def test_what_was_chosen_and_shown_stays(owner: Page, api: httpx.Client, path: str) -> None:
    owner.goto(f"{path}/pools/kept-first/connect")
    owner.locator("label", has_text="Connection string").click()
    owner.get_by_label("Show the password").check()
    owner.get_by_role("button", name="Copy Connection string").focus()
    change(owner, api, path, "connection")
    expect(owner.get_by_label("Show the password")).to_be_checked()
    expect(owner.locator(".format-string")).to_be_visible()
    expect(owner.get_by_role("button", name="Copy Connection string")).to_be_focused()


def test_what_is_open_or_pressed_is_not_replaced_by_what_is_loaded_now_and_then(
    owner: Page, path: str
) -> None:
    owner.goto(f"{path}/pools/kept-first")
    asked = """new Promise(resolve => {
        let asked = false;
        document.addEventListener("htmx:beforeSend", () => { asked = true; }, { once: true });
        document.body.dispatchEvent(new CustomEvent("moment"));
        setTimeout(() => resolve(asked));
    })"""
    assert owner.evaluate(asked) is True
    owner.get_by_role("button", name="What these mean").first.click()
    meaning = owner.locator("[popover]:popover-open")
    expect(meaning).to_be_visible()
    assert owner.evaluate(asked) is False
    expect(meaning).to_be_visible()
    owner.keyboard.press("Escape")
    # The head is replaced along with it.
    edit = owner.get_by_role("link", name="Edit", exact=True)
    edit.hover()
    owner.mouse.down()
    assert owner.evaluate(asked) is False
    owner.mouse.up()
    owner.wait_for_url(f"**{path}/pools/kept-first/edit")


def test_a_password_stays_shown_and_selected(owner: Page, api: httpx.Client, path: str) -> None:
    owner.goto(f"{path}/users")
    row = owner.get_by_role("row").filter(has=owner.get_by_role("link", name="doadmin"))
    row.get_by_text("Show").click()
    password = row.locator("code")
    password.dblclick()
    selected = owner.evaluate("getSelection().toString()")
    assert len(selected) > 3
    change(owner, api, path, "users")
    expect(password).to_be_visible()
    assert owner.evaluate("getSelection().toString()") == selected


def test_fields_that_nobody_touched_follow_what_others_change(
    owner: Page, api: httpx.Client, path: str
) -> None:
    day, hour = owner.locator("#field-day"), owner.locator("#field-hour")
    window = {"day": "monday", "hour": "03:00"}
    api.put(f"/v2{path}/maintenance", json=window)
    owner.goto(f"{path}/settings")
    expect(day).to_have_value("monday")
    api.put(f"/v2{path}/maintenance", json=window | {"day": "thursday"})
    expect(day).to_have_value("thursday")
    hour.select_option("07:00")
    hour.blur()
    api.put(f"/v2{path}/maintenance", json={"day": "friday", "hour": "05:00"})
    expect(day).to_have_value("friday")
    expect(hour).to_have_value("07:00")
    # What was chosen is not what there was then: who saves it is told.
    owner.get_by_role("button", name="Save the window").click()
    expect(owner.locator("#error-hour")).to_contain_text("is 05:00 now")


def test_settings_follow_what_others_change_and_keep_what_was_typed(
    owner: Page, api: httpx.Client, path: str
) -> None:
    owner.goto(f"{path}/settings/configuration")
    typed = owner.locator("#field-work_mem")
    typed.fill("11")
    typed.blur()
    found = owner.get_by_label("Find settings")
    found.fill("mem")
    found.blur()
    name = "log_min_duration_statement"
    api.patch(f"/v2{path}/config", json={"config": {name: 1234}})
    expect(owner.locator(f"#field-{name}")).to_have_value("1234")
    expect(owner.locator(f"#field-{name}")).to_be_hidden()
    expect(typed).to_have_value("11")
    expect(owner.locator("#planned li")).to_have_count(1)
    expect(owner.locator("#planned")).to_contain_text("work_mem")


def test_what_was_refused_stays_until_it_is_mended(
    owner: Page, api: httpx.Client, path: str
) -> None:
    owner.goto(f"{path}/settings")
    field = owner.locator("#field-threshold_percent")
    field.fill("5")
    owner.get_by_role("button", name="Save autoscaling").click()
    expect(owner.locator("#error-threshold_percent")).to_be_visible()
    owner.get_by_role("heading", name="Storage").click()
    change(owner, api, path, "storage-now")
    expect(owner.locator("#error-threshold_percent")).to_be_visible()
    expect(field).to_have_value("5")


def test_what_is_being_sent_is_not_given_up_for_a_change(
    owner: Page, api: httpx.Client, path: str
) -> None:
    held: list[Route] = []
    owner.goto(f"{path}/settings")
    owner.route(
        "**/settings",
        lambda route: held.append(route) if route.request.method == "POST" else route.continue_(),
    )
    owner.locator("#field-threshold_percent").fill("5")
    owner.get_by_role("button", name="Save autoscaling").click()
    await_held(owner, held)
    change(owner, api, path, "storage-now")
    [sent] = held
    sent.continue_()
    expect(owner.locator("#error-threshold_percent")).to_be_visible()


@pytest.mark.parametrize("last", ["what is looked for", "what was changed"])
def test_what_is_looked_for_and_what_was_changed_come_in_any_order(
    owner: Page, api: httpx.Client, path: str, last: str
) -> None:
    """Both replace one part of the page; what is looked for was answered before the change."""
    api.post(f"/v2{path}/pools", json=_POOL | {"name": "kept-second"})
    owner.goto(f"{path}/pools")
    names, sizes = owner.locator("a.name"), owner.locator("td[data-label=Size] b")
    expect(names).to_have_text(["kept-first", "kept-second"])
    found: list[tuple[Route, APIResponse]] = []
    changed: list[Route] = []
    is_over = threading.Event()

    def hold(route: Route) -> None:
        if is_over.is_set():
            route.continue_()
        elif "poolkeeper-background" in route.request.headers:
            changed.append(route)
        else:
            found.append((route, route.fetch()))

    owner.route(re.compile(r"/pools(\?.*)?$"), hold)
    owner.get_by_role("searchbox").fill("first")
    await_held(owner, found)
    body = {key: value for key, value in _POOL.items()} | {"size": 2}
    assert api.put(f"/v2{path}/pools/kept-first", json=body).status_code == 204
    await_held(owner, changed)
    is_over.set()

    def answer_search() -> None:
        for route, response in found:
            route.fulfill(response=response)
        expect(owner).to_have_url(re.compile(r"q=first"))

    def answer_change() -> None:
        for route in changed:
            route.continue_()
        expect(owner.locator("#pool-budget")).to_contain_text("3 of")

    steps = [answer_search, answer_change]
    for step in steps if last == "what was changed" else reversed(steps):
        step()
    expect(names).to_have_text(["kept-first"])
    expect(sizes).to_have_text(["2"])


def await_held(page: Page, held: list[Any]) -> None:
    """Wait until a request stands at the gate; Playwright hears of it only while it is asked."""
    deadline = time.monotonic() + 60
    while not held:
        assert time.monotonic() < deadline, "nothing was asked for"
        page.wait_for_timeout(20)
