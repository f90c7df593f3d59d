"""The whole story, as somebody lives it who has nothing but a browser, and what it becomes with two
browsers, by keyboard alone, and without scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from bench.pgbench import make_tables, running_load
from tests.browser.conftest import Open, note_copying, sign_in
from tests.creation import held_creation
from tests.plane import Plane, connect, wait_until

_SECONDS = 1000


def copy_connection_string(page: Page) -> str:
    """What is in the clipboard after its button was pressed."""
    page.locator("label", has_text="Connection string").click()
    list_noted = note_copying(page)
    page.get_by_role("button", name="Copy Connection string").click()
    wait_until("it says that it is copied", lambda: "Copied" in list_noted())
    return str(page.evaluate("navigator.clipboard.readText()"))


def fill_in_pool(page: Page, name: str, mode: str, size: int | None = None) -> None:
    form = page.locator("#new-pool")
    form.get_by_label("Name").fill(name)
    form.get_by_label(mode, exact=True).check()
    if size is not None:
        form.get_by_label("Size", exact=True).fill(str(size))
    form.get_by_role("button", name="Create the pool").click()
    page.wait_for_url(f"**/pools/{name}/connect")


def save_authority(page: Page, file: Path) -> None:
    """Chromium, short of time, cancels a download now and then: whoever wants it asks again."""
    for _ in range(3):
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the CA certificate").click()
        failure = download.value.failure()
        if failure is None:
            download.value.save_as(file)
            return
    raise AssertionError(f"the certificate cannot be downloaded: {failure}")


def find_row(page: Page, pool: str) -> Locator:
    header = page.get_by_role("rowheader", name=pool, exact=True)
    return page.locator("#pools tbody tr").filter(has=header)


def test_the_whole_story(
    open_page: Open,
    patient_plane: Plane,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Where the certificate is looked for that the connection string names.
    monkeypatch.chdir(tmp_path)
    # So high that all charts are seen: those that nobody sees are not drawn.
    allowed = ["clipboard-read", "clipboard-write"]
    plane, options = patient_plane, {"base_url": patient_plane.url, "permissions": allowed}
    with plane.client() as api, open_page(height=2400, **options) as page:
        sign_in(page, plane.token)
        cluster_id = _create_cluster(page, plane, "story")
        uri = _create_pools(page, tmp_path)
        make_tables(
            api.get(f"/v2/databases/{cluster_id}").json()["database"]["connection"]["uri"], 1
        )
        with running_load(uri, 8) as load:
            _see_it_move(page, cluster_id)
            _change_the_size(page, cluster_id)
            report = load.stop()
        assert (report.failed, report.aborted) == (0, ())
        assert report.transactions > 100
        _delete(page, api, cluster_id)


def _create_cluster(page: Page, plane: Plane, name: str) -> str:
    page.get_by_role("link", name="Create a database cluster").first.click()
    page.get_by_label("Name").fill(name)
    with held_creation(plane):
        page.get_by_role("button", name="Create the cluster").click()
        page.wait_for_url(re.compile(r"/databases/[0-9a-f-]{36}$"))
        steps = page.locator("ol.steps li")
        expect(steps.filter(has_text="Start PgBouncer")).to_be_visible()
        expect(page.locator("li[aria-current=step]")).to_have_count(1)
    expect(page.locator(".page-head .badge")).to_have_text("Online", timeout=60 * _SECONDS)
    return page.url.rpartition("/")[2]


def _create_pools(page: Page, folder: Path) -> str:
    """One in each mode; returns the copied string of the first one."""
    page.get_by_role("link", name="Connection Pools").last.click()
    expect(page.get_by_text("No connection pool yet")).to_be_visible()
    page.get_by_role("link", name="Create a pool").last.click()
    expect(page.get_by_label("Transaction", exact=True)).to_be_checked()
    expect(page.get_by_label("Size", exact=True)).to_have_value("11")
    fill_in_pool(page, "web", "Transaction")
    save_authority(page, folder / "poolkeeper-ca.crt")
    uri = copy_connection_string(page)
    assert "sslmode=verify-full" in uri
    with connect(uri) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("doadmin",)
    for name, mode in (("dumps", "Session"), ("lookups", "Statement")):
        page.get_by_role("link", name="Connection Pools").last.click()
        # Until it has its scripts, the link leads to a page.
        page.wait_for_url("**/pools")
        page.get_by_role("link", name="Create a pool").last.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        fill_in_pool(page, name, mode, 3)
        with connect(copy_connection_string(page)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    return uri


def _see_it_move(page: Page, cluster_id: str) -> None:
    page.goto(f"/databases/{cluster_id}/pools")
    rate = find_row(page, "web").locator("[data-live$=xacts_per_second]")
    expect(rate).to_have_text(re.compile(r"[1-9][\d,.]* /s"))
    expect(rate).not_to_have_text(rate.inner_text())
    expect(find_row(page, "web").locator("[data-live$=clients_active]")).to_have_text("8")
    for path in ("", "/pools/web"):
        page.goto(f"/databases/{cluster_id}{path}")
        _see_charts_move(page.locator("canvas"))


def _see_charts_move(canvases: Locator) -> None:
    expect(canvases.nth(3)).to_be_visible()
    before = _draw(canvases)
    wait_until("three charts move", lambda: _count_moved(canvases, before) >= 3)


_DRAWN = "all => all.map(each => [each.closest('figure').dataset.chart, each.toDataURL()])"


def _draw(canvases: Locator) -> dict[str, str]:
    """What the charts look like now, by their names; some may be drawn later."""
    return dict(canvases.evaluate_all(_DRAWN))


def _count_moved(canvases: Locator, before: dict[str, str]) -> int:
    now = _draw(canvases)
    return sum(now[name] != before[name] for name in now.keys() & before.keys())


def _change_the_size(page: Page, cluster_id: str) -> None:
    page.goto(f"/databases/{cluster_id}/pools")
    find_row(page, "web").get_by_role("link", name="Edit").click()
    for size in ("14", "2", "9"):
        page.get_by_label("Size", exact=True).fill(size)
        plan = page.locator("#plan")
        expect(plan).to_contain_text("Nobody is disconnected.")
        expect(plan.locator("dt")).to_contain_text(f"→ {size}")
        plan.get_by_role("button", name="Apply").click()
        page.wait_for_url("**/pools")
        expect(find_row(page, "web").locator("td[data-label=Size] b")).to_have_text(size)
        find_row(page, "web").get_by_role("link", name="Edit").click()
        expect(page.get_by_label("Size", exact=True)).to_have_value(size)


def _delete(page: Page, api: httpx.Client, cluster_id: str) -> None:
    page.goto(f"/databases/{cluster_id}/pools")
    find_row(page, "web").get_by_role("link", name="Delete").click()
    page.get_by_label("Type the pool’s name").fill("wbe")
    page.get_by_role("button", name="Delete the pool").click()
    expect(page.locator("#error-confirm")).to_contain_text("type web")
    page.get_by_label("Type the pool’s name").fill("web")
    page.get_by_role("button", name="Delete the pool").click()
    page.wait_for_url("**/pools")
    expect(find_row(page, "web")).to_have_count(0)
    expect(find_row(page, "dumps")).to_be_visible()
    assert api.get(f"/v2/databases/{cluster_id}/pools/web").status_code == 404
    assert api.delete(f"/v2/databases/{cluster_id}").status_code == 204
    # What is open notices by itself.
    expect(page.get_by_role("alert")).to_contain_text("This database cluster has been deleted")


def test_a_change_shows_in_every_open_browser_within_two_seconds(
    open_page: Open, plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    base = f"/databases/{cluster['id']}"
    body = {"name": "first", "mode": "session", "size": 2, "db": "defaultdb", "user": "doadmin"}
    api.post(f"/v2{base}/pools", json=body)
    with open_page() as mine, open_page(width=390) as theirs:
        for page in (mine, theirs):
            sign_in(page, plane.token)
        theirs.goto(f"{base}/pools")
        expect(find_row(theirs, "first")).to_be_visible()
        mine.goto(f"{base}/new-pool")
        fill_in_pool(mine, "second", "Session", 2)
        expect(find_row(theirs, "second")).to_be_visible()
        mine.goto(f"{base}/pools")
        expect(find_row(mine, "second")).to_be_visible()
        plane.run("databases", "pool", "update", cluster["name"], "second", "--size", "5")
        for page in (mine, theirs):
            size = find_row(page, "second").locator("td[data-label=Size] b")
            expect(size).to_have_text("5")
        assert api.delete(f"/v2{base}/pools/first").status_code == 204
        for page in (mine, theirs):
            expect(find_row(page, "first")).to_have_count(0)
    api.delete(f"/v2{base}/pools/second")


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(60):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"60 times Tab do not lead to {wanted}")


def test_a_pool_is_created_by_keyboard_alone(
    open_page: Open, plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    base = f"/databases/{cluster['id']}"
    body = {"name": "there", "mode": "session", "size": 1, "db": "defaultdb", "user": "doadmin"}
    api.post(f"/v2{base}/pools", json=body)
    with open_page() as page:
        sign_in(page, plane.token)
        page.goto(f"{base}/pools")
        opener = page.get_by_role("link", name="Create a pool")
        tab_to(page, opener)
        page.keyboard.press("Enter")
        form = page.locator("#new-pool")
        expect(form).to_be_visible()
        # The way back: Escape closes the window, and one is where one was.
        page.keyboard.press("Escape")
        expect(form).not_to_be_visible()
        expect(opener).to_be_focused()
        page.keyboard.press("Enter")
        expect(form.get_by_label("Name")).to_be_visible()
        tab_to(page, form.get_by_label("Name"))
        page.keyboard.type("x")
        page.keyboard.press("Enter")
        expect(page.locator("#error-name")).to_contain_text("3 to 63 characters")
        expect(form.get_by_label("Name")).to_be_focused()
        page.keyboard.press("Control+A")
        page.keyboard.type("by-keyboard")
        tab_to(page, form.get_by_label("Transaction", exact=True))
        page.keyboard.press("ArrowDown")
        expect(form.locator("input[name=mode]:checked")).to_be_focused()
        chosen = form.locator("input[name=mode]:checked").get_attribute("value")
        assert chosen != "transaction"
        tab_to(page, form.get_by_label("Size, to be dragged"))
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        expect(form.get_by_label("Size", exact=True)).to_have_value("2")
        tab_to(page, form.get_by_role("button", name="Create the pool"))
        page.keyboard.press("Space")
        page.wait_for_url("**/pools/by-keyboard/connect")
    pool = api.get(f"/v2{base}/pools/by-keyboard").json()["pool"]
    assert (pool["mode"], pool["size"]) == (chosen, 2)
    for name in ("there", "by-keyboard"):
        api.delete(f"/v2{base}/pools/{name}")


def test_pools_are_created_changed_and_deleted_without_scripts(
    open_page: Open, plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    base = f"/databases/{cluster['id']}"
    with open_page(java_script_enabled=False, width=390) as page:
        sign_in(page, plane.token)
        page.goto(f"{base}/pools")
        page.get_by_role("link", name="Create a pool").last.click()
        page.get_by_label("Name").fill("plain")
        page.get_by_label("Size", exact=True).fill("99")
        page.get_by_label("Session", exact=True).check()
        page.get_by_role("button", name="Create the pool").click()
        expect(page.locator("#error-size")).to_be_visible()
        expect(page.get_by_label("Name")).to_have_value("plain")
        expect(page.get_by_label("Session", exact=True)).to_be_checked()
        page.get_by_label("Size", exact=True).fill("3")
        page.get_by_role("button", name="Create the pool").click()
        expect(page.get_by_text("Pool plain has been created.")).to_be_visible()
        expect(page.locator("#text-string")).to_have_count(1)
        page.goto(f"{base}/pools/plain/edit")
        page.get_by_label("Size", exact=True).fill("4")
        page.get_by_role("button", name="Show the plan").click()
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_text("Pool plain has been changed.")).to_be_visible()
        page.goto(f"{base}/pools/plain/delete")
        page.get_by_label("Type the pool’s name").fill("plain")
        page.get_by_role("button", name="Delete the pool").click()
        expect(page.get_by_text("Pool plain has been deleted.")).to_be_visible()
    assert api.get(f"/v2{base}/pools/plain").status_code == 404


@pytest.mark.parametrize("asks_first", ["the stream", "a part of the page"])
def test_who_is_signed_out_elsewhere_is_led_to_the_sign_in_and_back(
    open_page: Open, plane: Plane, api: httpx.Client, cluster: Mapping[str, Any], asks_first: str
) -> None:
    base = f"/databases/{cluster['id']}"
    made = api.post("/v1/tokens", json={"name": "short-lived", "scopes": ["database:read"]})
    token = made.json()["token"]
    with open_page() as page:
        sign_in(page, token["value"])
        page.goto(f"{base}/pools")
        expect(page.get_by_role("heading", name=cluster["name"])).to_be_visible()
        assert api.delete(f"/v1/tokens/{token['id']}").status_code == 204
        if asks_first == "a part of the page":
            # What changed is asked for at once; the stream ends some seconds later.
            body = {"name": "seen", "mode": "session", "size": 1, "db": "defaultdb"}
            assert api.post(f"/v2{base}/pools", json=body).status_code == 201
        page.wait_for_url(re.compile(r"/sign-in\?next="))
        page.get_by_label("API token").fill(plane.token)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{base}/pools")
    api.delete(f"/v2{base}/pools/seen")
