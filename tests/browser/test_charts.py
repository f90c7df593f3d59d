"""Charts in a real browser, over real load: they are drawn, they move, they keep nobody out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, sign_in
from tests.browser.test_first_story import find_barriers
from tests.e2e.load import running_load
from tests.plane import Plane, wait_until

# The colours that a chart's canvas has, without the transparent.
READ_COLOURS = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const found = new Set();
  for (let at = 0; at < data.length; at += 4)
    if (data[at + 3] > 200) found.add([data[at], data[at + 1], data[at + 2]].join());
  return [...found];
}"""


@pytest.fixture
def pool(api: httpx.Client, cluster: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A pool that is small enough to be full."""
    body = {"name": "web", "mode": "transaction", "size": 2, "db": "defaultdb", "user": "doadmin"}
    answer = api.post(f"/v2/databases/{cluster['id']}/pools", json=body)
    assert answer.status_code == 201, answer.text
    yield answer.json()["pool"]
    api.delete(f"/v2/databases/{cluster['id']}/pools/web")


def read_now(chart: Locator, label: str) -> float:
    """What a chart's key says that a line is now."""
    row = chart.locator(".key tbody tr").filter(has_text=label)
    words = row.locator("td").first.inner_text().replace(",", "")
    found = re.match(r"[0-9.]+", words)
    return float(found[0]) if found else 0.0


def colours(chart: Locator) -> set[str]:
    return set(chart.locator("canvas").evaluate(READ_COLOURS))


def chart(page: Page, name: str) -> Locator:
    found = page.locator(f"[data-chart={name}]")
    found.scroll_into_view_if_needed()
    expect(found.locator("canvas")).to_be_visible()
    return found


def test_load_is_seen_as_it_comes(
    owner: Page, cluster: Mapping[str, Any], pool: Mapping[str, Any]
) -> None:
    owner.goto(f"/databases/{cluster['id']}/pools/web")
    throughput = chart(owner, "throughput")
    before = colours(throughput)
    assert read_now(throughput, "transactions") == 0
    with running_load(pool["connection"]["uri"], 6, application_name="shop"):
        wait_until("throughput moves", lambda: read_now(throughput, "transactions") > 20)
        wait_until("it is drawn", lambda: len(colours(throughput) - before) > 3)
        clients = chart(owner, "clients")
        wait_until("somebody waits", lambda: read_now(clients, "waiting") >= 2)
        assert read_now(chart(owner, "backends"), "active") <= 2
        # Who they are, and that they wait, is told within seconds, and without anybody's doing.
        row = owner.get_by_role("row").filter(has=owner.get_by_role("rowheader", name="shop"))
        expect(row.locator("td").first).to_have_text("6")
        expect(owner.locator(".warnings")).to_contain_text("for a backend")
    wait_until("it is over", lambda: read_now(throughput, "transactions") == 0)


def test_the_overview_moves_and_spans_are_addresses(
    owner: Page, cluster: Mapping[str, Any], pool: Mapping[str, Any]
) -> None:
    address = f"/databases/{cluster['id']}"
    owner.goto(address)
    connections = chart(owner, "connections")
    wait_until("free ones are told", lambda: read_now(connections, "free") > 0)
    owner.get_by_role("link", name="1 h", exact=True).click()
    owner.wait_for_url(f"**{address}?span=1h#charts")
    expect(owner.locator("[data-charts]")).to_have_attribute("data-ready", "yes")
    expect(owner.get_by_role("link", name="1 h", exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    owner.go_back()
    owner.wait_for_url(f"**{address}")
    connections = chart(owner, "connections")
    # Under the pointer the key tells of that moment.
    plot = connections.locator(".u-over")
    plot.hover(position={"x": 100, "y": 50})
    expect(connections.locator(".key th").nth(1)).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    owner.mouse.move(0, 0)
    expect(connections.locator(".key th").nth(1)).to_have_text("Now")
    connections.get_by_text("What it shows, and a table").click()
    rows = connections.locator(".rows tbody tr")
    expect(rows.first.locator("th")).to_have_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"))


def test_a_pool_of_somebody_else_gets_its_line(
    owner: Page, api: httpx.Client, cluster: Mapping[str, Any], pool: Mapping[str, Any]
) -> None:
    owner.goto(f"/databases/{cluster['id']}")
    connections = chart(owner, "connections")
    expect(connections.locator(".key")).to_contain_text("web")
    body = {"name": "late", "mode": "session", "size": 3, "db": "defaultdb", "user": "doadmin"}
    api.post(f"/v2/databases/{cluster['id']}/pools", json=body).raise_for_status()
    expect(connections.locator(".key")).to_contain_text("late")
    with running_load(pool["connection"]["uri"], 1):
        wait_until("live numbers go on", lambda: read_now(connections, "web") > 0)
    api.delete(f"/v2/databases/{cluster['id']}/pools/late")
    expect(connections.locator(".key")).not_to_contain_text("late")


def test_charts_follow_the_colours_of_the_system_and_the_width(
    open_page: Open, plane: Plane, cluster: Mapping[str, Any]
) -> None:
    with open_page(color_scheme="light", reduced_motion="reduce") as page:
        sign_in(page, plane.token)
        page.goto(f"/databases/{cluster['id']}")
        load = chart(page, "load")
        wait_until("it is drawn", lambda: len(colours(load)) > 3)
        light = colours(load)
        page.emulate_media(color_scheme="dark")
        wait_until("it is drawn anew", lambda: colours(load) and not colours(load) & light)
        page.set_viewport_size({"width": 390, "height": 800})
        wait_until("it fits", lambda: load.locator("canvas").evaluate("c => c.clientWidth") < 390)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_charts_keep_nobody_out(
    open_page: Open,
    plane: Plane,
    cluster: Mapping[str, Any],
    pool: Mapping[str, Any],
    scheme: str,
    width: int,
) -> None:
    with open_page(width=width, color_scheme=scheme, bypass_csp=True) as page:
        sign_in(page, plane.token)
        for path in ("", "/pools/web"):
            page.goto(f"/databases/{cluster['id']}{path}")
            expect(page.locator("[data-charts]")).to_have_attribute("data-ready", "yes")
            for summary in page.locator(".chart summary").all():
                summary.click()
            assert find_barriers(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


def test_charts_are_told_without_scripts(
    open_page: Open, plane: Plane, cluster: Mapping[str, Any]
) -> None:
    with open_page(java_script_enabled=False) as page:
        sign_in(page, plane.token)
        page.goto(f"/databases/{cluster['id']}")
        load = page.locator("[data-chart=load]")
        expect(load.locator(".key tbody tr td").nth(1)).to_have_text(re.compile(r"[0-9.]+"))
        expect(load.locator(".plot")).not_to_be_visible()
        page.get_by_role("link", name="24 h", exact=True).click()
        expect(page).to_have_url(re.compile(r"\?span=24h#charts$"))
        load.get_by_text("What it shows, and a table").click()
        expect(load.locator(".rows tbody tr").first).to_be_visible()
