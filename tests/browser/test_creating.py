"""A cluster that is being created, watched: its steps, and what comes once it is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, sign_in
from tests.plane import Plane, running_plane
from tests.programs import replaced_program

# As long as a test looks at what is being created.
_INITDB = """#!/bin/sh
while [ -e {folder}/held ]; do sleep 0.05; done
exec {real}/initdb "$@"
"""


@contextmanager
def slow_plane() -> Iterator[tuple[Plane, Path]]:
    """A control plane that creates no cluster before the file is gone."""
    with replaced_program("initdb", _INITDB) as (prefixes, folder):
        held = folder / "held"
        held.touch()
        with running_plane("--empty", postgres_prefixes=prefixes) as plane:
            yield plane, held


def begin(page: Page, name: str) -> None:
    page.goto("/databases/new")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create the cluster").click()
    page.wait_for_url(re.compile(r"/databases/[0-9a-f-]{36}$"))


def test_its_page_tells_the_steps_and_then_has_all_without_being_loaded_again(
    open_page: Open,
) -> None:
    with slow_plane() as (plane, held), open_page(base_url=plane.url) as page:
        sign_in(page, plane.token)
        begin(page, "slow")
        steps = page.locator("ol.steps li")
        expect(steps.filter(has_text="Start PgBouncer")).to_be_visible()
        expect(page.locator("li[aria-current=step]")).to_have_count(1)
        # Loaded again, it would lose what is being clicked at that moment.
        page.evaluate("window.isTheSame = true")
        held.unlink()
        expect(page.locator("[data-charts]")).to_have_attribute("data-ready", "yes")
        expect(page.locator(".page-head .badge")).to_have_text("Online")
        expect(steps).to_have_count(0)
        figure = page.locator("[data-chart=connections]")
        figure.scroll_into_view_if_needed()
        expect(figure.locator("canvas")).to_be_visible()
        free = figure.locator(".key tbody tr").filter(has_text="free").locator("td").first
        expect(free).to_have_text("22")
        assert page.evaluate("window.isTheSame") is True
