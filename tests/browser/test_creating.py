"""A cluster that is being created, watched: its steps, and what comes once it is there."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import Page, expect

from tests.creation import held_creation
from tests.plane import Plane


def test_its_page_tells_the_steps_and_then_has_all_without_being_loaded_again(
    owner: Page, plane: Plane, api: httpx.Client
) -> None:
    owner.goto("/databases/new")
    owner.get_by_label("Name").fill("slow")
    steps = owner.locator("ol.steps li")
    with held_creation(plane):
        owner.get_by_role("button", name="Create the cluster").click()
        owner.wait_for_url(re.compile(r"/databases/[0-9a-f-]{36}$"))
        expect(steps.filter(has_text="Start PgBouncer")).to_be_visible()
        expect(owner.locator("li[aria-current=step]")).to_have_count(1)
        # Loaded again, it would lose what is being clicked at that moment.
        owner.evaluate("window.isTheSame = true")
    expect(owner.locator("[data-charts]")).to_have_attribute("data-ready", "yes", timeout=60_000)
    expect(owner.locator(".page-head .badge")).to_have_text("Online")
    expect(steps).to_have_count(0)
    figure = owner.locator("[data-chart=connections]")
    figure.scroll_into_view_if_needed()
    expect(figure.locator("canvas")).to_be_visible()
    free = figure.locator(".key tbody tr").filter(has_text="free").locator("td").first
    expect(free).to_have_text("22")
    assert owner.evaluate("window.isTheSame") is True
    api.delete(f"/v2/databases/{owner.url.rpartition('/')[2]}")
