"""The settings of a cluster in a real browser, with real servers behind them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from poolkeeper.domain.maintenance import DAYS
from tests.browser.conftest import Open, sign_in
from tests.browser.test_first_story import find_barriers
from tests.plane import Plane, connect, create_cluster, wait_until

BIGGER = "db-s-1vcpu-2gb"


@dataclass
class Load:
    """Clients that ask without end, and what they got."""

    done: int = 0
    errors: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, uri: str) -> None:
        try:
            with connect(uri) as client:
                while not self.stop.is_set():
                    client.execute("select 1")
                    self.done += 1
        except psycopg.Error as error:
            self.errors.append(str(error))


@contextmanager
def load(uri: str, clients: int = 4) -> Iterator[Load]:
    """So many clients meanwhile."""
    running = Load()
    threads = [threading.Thread(target=running.ask, args=(uri,)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        wait_until("the clients are served", lambda: running.done > 50)
        yield running
    finally:
        running.stop.set()
        for thread in threads:
            thread.join()


def create_with_pool(api: httpx.Client) -> Mapping[str, Any]:
    cluster = create_cluster(api, "settings-in-browser")
    pools = f"/v2/databases/{cluster['id']}/pools"
    body = {"name": "web", "mode": "transaction", "size": 4, "db": "defaultdb", "user": "doadmin"}
    assert api.post(pools, json=body).status_code == 201
    return cluster


@pytest.fixture
def fresh(api: httpx.Client) -> Iterator[Mapping[str, Any]]:
    """A cluster of one's own with a pool; it may be gone afterwards."""
    cluster = create_with_pool(api)
    yield cluster
    api.delete(f"/v2/databases/{cluster['id']}")


def change_a_live_setting(page: Page, direct: str) -> None:
    """It is found, refused with the reason beside it, mended, and in force."""
    page.get_by_role("link", name="Change settings").click()
    page.get_by_role("searchbox").press_sequentially("deadlock")
    setting = page.get_by_label("deadlock_timeout")
    expect(setting).to_be_visible()
    expect(page.get_by_label("work_mem")).not_to_be_visible()
    expect(page).to_have_url(re.compile(r"\?q=deadlock"))
    setting.fill("soon")
    page.get_by_role("button", name="Save the changes").click()
    expect(page.locator("#error-deadlock_timeout")).to_contain_text("must be a whole number")
    expect(setting).to_be_focused()
    expect(setting).to_have_value("soon")
    setting.fill("1234")
    expect(setting).to_have_class(re.compile("is-changed"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("In force: deadlock_timeout.")).to_be_visible()
    expect(page.locator("#config-now")).to_contain_text("deadlock_timeout = 1234")
    with connect(direct) as client:
        assert client.execute("show deadlock_timeout").fetchone() == ("1234ms",)


def resize(page: Page) -> None:
    """What it would do is shown by itself, before it is done."""
    page.get_by_role("link", name="Resize", exact=True).click()
    page.get_by_label("Size").select_option(BIGGER)
    effect = page.locator("#effect")
    expect(effect).to_contain_text("They hold 4 of 47 backend connections then, 43 are free.")
    page.get_by_role("button", name=f"Resize to {BIGGER}").click()
    expect(page.get_by_text(f"The cluster becomes a {BIGGER}.")).to_be_visible()
    # By itself, once PostgreSQL has been restarted.
    expect(page.locator("#size")).to_contain_text("47 backend connections")


def add_a_tag(page: Page) -> None:
    page.get_by_label("Add a tag").fill("no tag!")
    page.get_by_role("button", name="Add the tag").click()
    expect(page.locator("#error-tag")).to_contain_text("1 to 255 characters")
    expect(page.get_by_label("Add a tag")).to_have_value("no tag!")
    page.get_by_label("Add a tag").fill("production")
    page.keyboard.press("Enter")
    expect(page.locator("#tags-now")).to_contain_text("production")


def rotate(page: Page, direct: str) -> None:
    page.get_by_role("link", name="Rotate passwords…").click()
    page.get_by_role("button", name="Rotate all passwords").click()
    expect(page.get_by_text("1 password is new")).to_be_visible()
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        connect(direct)


def destroy(page: Page) -> None:
    page.get_by_role("link", name="Destroy the cluster…").click()
    page.get_by_label("Type the cluster’s name").fill("settings")
    page.get_by_role("button", name="Destroy the cluster").click()
    expect(page.locator("#error-confirm")).to_contain_text("type settings-in-browser")
    page.get_by_label("Type the cluster’s name").fill("settings-in-browser")
    page.get_by_role("button", name="Destroy the cluster").click()
    page.wait_for_url("**/databases")
    expect(page.get_by_text("Cluster settings-in-browser is being destroyed.")).to_be_visible()
    expect(page.get_by_role("link", name="settings-in-browser")).not_to_be_visible()


def test_a_cluster_is_changed_resized_under_load_and_destroyed(
    open_page: Open, patient_plane: Plane
) -> None:
    with patient_plane.client() as api, open_page(base_url=patient_plane.url) as page:
        sign_in(page, patient_plane.token)
        change_resize_and_destroy(page, api, create_with_pool(api))


def change_resize_and_destroy(page: Page, api: httpx.Client, fresh: Mapping[str, Any]) -> None:
    base = f"/v2/databases/{fresh['id']}"
    direct = fresh["connection"]["uri"]
    pool = api.get(f"{base}/pools/web").json()["pool"]["connection"]["uri"]
    path = f"/databases/{fresh['id']}/settings"
    page.goto(path)
    change_a_live_setting(page, direct)

    page.goto(path)
    with load(pool) as running:
        resize(page)
        before = running.done
        wait_until("the clients go on", lambda: running.done > before + 50)
    assert running.errors == []
    with connect(direct) as client:
        assert client.execute("show max_connections").fetchone() == ("50",)

    add_a_tag(page)
    # Somebody else moves the window: what is shown follows, and what is typed stays.
    page.get_by_label("Add a tag").fill("half typ")
    window = {"day": "friday", "hour": "05:00"}
    assert api.put(f"{base}/maintenance", json=window).status_code == 204
    expect(page.locator("#maintenance-now")).to_contain_text("Friday at 05:00 UTC")
    expect(page.get_by_label("Add a tag")).to_have_value("half typ")

    rotate(page, direct)
    renewed = api.get(base).json()["database"]["connection"]["uri"]
    assert read_setting(renewed, "max_connections") == "50"
    destroy(page)
    assert api.get(base).status_code == 404
    wait_until("PostgreSQL is away", lambda: read_setting(renewed, "max_connections") is None)


def test_each_change_of_a_setting_tells_when_it_is_in_force(
    owner: Page, cluster: Mapping[str, Any]
) -> None:
    owner.goto(f"/databases/{cluster['id']}/settings/configuration")
    planned = owner.locator("#planned li")
    expect(planned).to_have_count(0)
    owner.get_by_label("max_wal_senders").fill("21")
    owner.get_by_label("jit", exact=True).select_option("false")
    expect(planned).to_have_count(2)
    expect(planned.filter(has_text="jit")).to_have_text("jit: live")
    restart = "max_wal_senders: at PostgreSQL’s restart in the maintenance window"
    expect(planned.filter(has_text="max_wal_senders")).to_contain_text(restart)
    owner.get_by_label("max_wal_senders").fill("")
    expect(planned).to_have_count(1)
    owner.get_by_text("When changes are in force, and whom a restart cuts").click()
    expect(owner.get_by_text("Idle direct connections are cut.")).to_be_visible()


def test_settings_without_scripts(
    open_page: Open, plane: Plane, api: httpx.Client, fresh: Mapping[str, Any]
) -> None:
    path = f"/databases/{fresh['id']}/settings"
    # No window opens, and restarts PostgreSQL, before that is asked for.
    far = DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]
    window = {"day": far, "hour": "03:00"}
    assert api.put(f"/v2/databases/{fresh['id']}/maintenance", json=window).status_code == 204
    with open_page(java_script_enabled=False) as page:
        sign_in(page, plane.token)
        page.goto(f"{path}/configuration?q=naptime")
        page.get_by_label("autovacuum_naptime").fill("never")
        page.get_by_role("button", name="Save the changes").click()
        expect(page.locator("#error-autovacuum_naptime")).to_be_visible()
        page.get_by_label("autovacuum_naptime").fill("30")
        page.get_by_role("button", name="Save the changes").click()
        expect(page.get_by_text("In force: autovacuum_naptime.")).to_be_visible()
        # What takes a restart waits until it is applied.
        page.goto(f"{path}/configuration")
        page.get_by_label("max_wal_senders").fill("21")
        page.get_by_role("button", name="Save the changes").click()
        expect(page.get_by_text("At the restart of PostgreSQL, ")).to_be_visible()
        page.goto(path)
        page.get_by_text("Apply now…").click()
        page.get_by_role("button", name="Restart PostgreSQL and apply").click()
        expect(page.get_by_text("as soon as nobody would be cut")).to_be_visible()
        uri = fresh["connection"]["uri"]
        wait_until("PostgreSQL runs with it", lambda: read_setting(uri, "max_wal_senders") == "21")
        page.goto(f"{path}/resize")
        page.get_by_label("Size").select_option(BIGGER)
        page.get_by_role("button", name="Show the effect").click()
        expect(page.locator("#effect")).to_contain_text("They hold 4 of 47")
        page.goto(path)
        page.get_by_label("Day").select_option("monday")
        page.get_by_role("button", name="Save the window").click()
        expect(page.locator("#maintenance-now")).to_contain_text("Monday at 03:00 UTC")


def read_setting(uri: str, name: str) -> str | None:
    """None while PostgreSQL is away."""
    try:
        with connect(uri) as client:
            row = client.execute("select current_setting(%s)", (name,)).fetchone()
    except psycopg.OperationalError:
        return None
    return str(row[0]) if row else None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_no_page_of_settings_keeps_anybody_out(
    open_page: Open, plane: Plane, cluster: Mapping[str, Any], scheme: str, width: int
) -> None:
    path = f"/databases/{cluster['id']}/settings"
    pages = (
        *("", "/resize", f"/resize?size={BIGGER}", "/resize?size=none", "/configuration"),
        *("/configuration?q=timeout", "/configuration?q=nothing", "/rotate", "/destroy"),
    )
    with open_page(width=width, color_scheme=scheme, bypass_csp=True) as page:
        sign_in(page, plane.token)
        for each in pages:
            page.goto(path + each)
            assert find_barriers(page) == [], each
            overflow = "document.documentElement.scrollWidth - innerWidth"
            assert page.evaluate(overflow) <= 0, each
