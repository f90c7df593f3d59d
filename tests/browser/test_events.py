"""The audit trail in a real browser: what others change appears, searches are in the address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, sign_in
from tests.browser.test_first_story import find_barriers
from tests.plane import Plane

POOL = {"name": "seen", "mode": "transaction", "size": 5, "db": "defaultdb", "user": "doadmin"}


def newest(page: Page) -> Locator:
    return page.locator("#events tbody tr").first


def test_what_others_change_appears_within_two_seconds(
    open_page: Open, plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]
) -> None:
    pools = f"/v2/databases/{cluster['id']}/pools"
    with open_page() as all_events, open_page() as of_cluster:
        for page, path in (
            (all_events, "/events"),
            (of_cluster, f"/databases/{cluster['id']}/events"),
        ):
            sign_in(page, plane.token)
            with page.expect_response(
                lambda answer: "/live?" in answer.url or "/live" in answer.url
            ):
                page.goto(path)
        both = (all_events, of_cluster)

        def appears(sentence: str) -> None:
            for page in both:
                expect(newest(page)).to_contain_text(sentence)

        assert api.post(pools, json=POOL).status_code == 201
        appears("Pool seen: created: transaction mode, size 5, defaultdb as doadmin")
        assert api.put(f"{pools}/seen", json=POOL | {"size": 8}).status_code == 204
        appears("Pool seen: size 5 → 8")
        for page in both:
            # How long that took is written down a moment later, and comes by itself, too.
            took = newest(page).locator("[data-label='In force after']")
            expect(took).to_have_text(re.compile(r"^[\d.]+ m?s$"))
        # It concerns no server, so the cluster itself stands as it did.
        tags = {"resources": [{"resource_id": cluster["id"], "resource_type": "database"}]}
        assert api.post("/v2/tags", json={"name": "seen"}).is_success
        assert api.post("/v2/tags/seen/resources", json=tags).is_success
        appears("Tag seen: given to the cluster")
        assert api.delete("/v2/tags/seen").is_success
        assert api.delete(f"{pools}/seen").status_code == 204


def test_searching_as_one_types(owner: Page, api: httpx.Client, cluster: Mapping[str, Any]) -> None:
    for name in ("anna", "berta"):
        assert api.post(f"/v2/databases/{cluster['id']}/users", json={"name": name}).is_success
    owner.goto("/events")
    rows = owner.locator("#events tbody tr")
    owner.get_by_label("Find").press_sequentially("ANNA")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("User anna: created")
    expect(owner).to_have_url(re.compile(r"q=ANNA"))
    # It can be shared, and stays as it is while something happens.
    assert api.delete(f"/v2/databases/{cluster['id']}/users/berta").is_success
    owner.reload()
    expect(owner.get_by_label("Find")).to_have_value("ANNA")
    expect(rows).to_have_count(1)
    assert api.delete(f"/v2/databases/{cluster['id']}/users/anna").is_success
    expect(rows).to_have_count(2)
    owner.get_by_label("About").select_option("Pools")
    expect(owner.get_by_text("Nothing found")).to_be_visible()
    owner.get_by_role("link", name="Show everything").click()
    expect(owner.get_by_label("Find")).to_have_value("")
    expect(rows.first).to_contain_text("User anna: deleted")


def test_nobody_is_kept_out(open_page: Open, plane: Plane, cluster: Mapping[str, Any]) -> None:
    for scheme, width in (("light", 1280), ("dark", 390)):
        with open_page(width=width, color_scheme=scheme, bypass_csp=True) as page:
            sign_in(page, plane.token)
            for path in ("/events", f"/databases/{cluster['id']}/events?q=nothing"):
                page.goto(path)
                assert find_barriers(page) == []
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
