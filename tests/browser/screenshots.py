"""Pictures of every page: ``python -m tests.browser.screenshots [FOLDER]``, scripts/screenshots.

Real servers, real load, and a day of history that was told back from it. Names of files come from
the addresses: ``cluster-new-pool-dark.png`` is ``/databases/{cluster_id}/new-pool``.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from poolkeeper.domain.samples import STORED, Kind, Sample
from tests.browser.conftest import sign_in
from tests.browser.seeded_history import seed
from tests.e2e.load import Load
from tests.panel.addresses import NO_PAGES, compose, list_routes
from tests.plane import Plane, create_cluster, running_plane, wait_until

FOLDER = Path(__file__).parents[2] / "docs" / "images"

_LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
_TALLEST = 2600
_COLOURS = 256
_ALL_COLOURS = 2**24

_LONG = "nightly-reports-of-the-european-warehouse-and-its-suppliers-2026"[:63]
_POOLS: tuple[dict[str, Any], ...] = (
    {"name": "web", "mode": "transaction", "size": 24, "db": "shop", "user": "app"},
    {"name": "checkout", "mode": "transaction", "size": 12, "db": "shop", "user": "app"},
    {"name": "workers", "mode": "session", "size": 10, "db": "shop", "user": "app"},
    {"name": "lookups", "mode": "statement", "size": 6, "db": "catalogue", "user": "app"},
    {"name": "analysts", "mode": "transaction", "size": 8, "db": "shop"},
    {"name": _LONG, "mode": "session", "size": 3, "db": "shop", "user": "reports"},
)
# Clients of a pool, how long each of their transactions takes, what they call themselves.
_LOADS = (
    ("web", 34, 0.02, "storefront"),
    ("web", 6, 0.05, "mobile-api"),
    ("checkout", 5, 0.03, "checkout"),
    ("workers", 7, 0.1, "sidekiq"),
    ("lookups", 4, 0.01, "search"),
    ("analysts", 2, 0.3, "metabase"),
)
# It reads a table: PostgreSQL does not count transactions that touch none until they do.
_WORK = "SELECT pg_sleep({}), count(*) FROM pg_am"
# A control plane needs about as long to start.
_RESTART_SECONDS = 6
# A creation is over by then, and is taken at once.
_UNTIL_DRAWN = timedelta(seconds=1.8)


@dataclass(frozen=True)
class Shop:
    """A cluster with load on it."""

    id: str
    uris: dict[str, str]


def main() -> None:
    """Take all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with running_plane("--empty", query_wait_timeout=30) as plane, _launch() as browser:
        for look in _LOOKS:
            with _open(browser, plane, look) as page:
                take(page, "/sign-in", folder / f"sign-in-{look}.png", plane)
                sign_in(page, plane.token)
                take(page, "/databases", folder / f"databases-empty-{look}.png", plane)
        shop = _fill(plane)
        with _at_work(shop):
            _seed(plane, shop)
            for look in _LOOKS:
                with _open(browser, plane, look) as page:
                    _take_all(page, plane, shop, look, folder)
    total = sum(file.stat().st_size for file in folder.glob("*.png"))
    print(f"{len(list(folder.glob('*.png')))} pictures, {total / 1e6:.1f} MB, in {folder}")


def _take_all(page: Page, plane: Plane, shop: Shop, look: str, folder: Path) -> None:
    sign_in(page, plane.token)
    for path in list_routes():
        if path in (*NO_PAGES, "/", "/sign-in") or path.endswith((".json", ".crt")):
            continue
        address = compose(path, shop.id, pool="web", user="app", database="shop")
        take(page, address, folder / f"{name_file(path)}-{look}.png", plane)
    with plane.client() as api:
        body = {"name": f"new-{look}", "engine": "pg", "num_nodes": 1}
        where = {"size": "db-s-1vcpu-1gb", "region": "nyc1"}
        made = api.post("/v2/databases", json=body | where).json()["database"]
        created = folder / f"cluster-creation-{look}.png"
        take(page, f"/databases/{made['id']}", created, plane, settle=timedelta())
        # It goes on by itself once the cluster is online.
        page.goto("about:blank")
        wait_until(
            "the cluster is online",
            lambda: api.get(f"/v2/databases/{made['id']}").json()["database"]["status"] == "online",
            60,
        )
        take(
            page,
            f"/databases/{made['id']}/pools",
            folder / f"cluster-pools-empty-{look}.png",
            plane,
        )
        api.delete(f"/v2/databases/{made['id']}")


def name_file(path: str) -> str:
    """A declared path as a file's name."""
    parts = {"/databases/{cluster_id}": "/cluster", "/pools/{name}": "/pool"}
    for part, name in (parts | {"/users/{name}": "/user", "/dbs/{name}": "/database"}).items():
        path = path.replace(part, name)
    return path.strip("/").replace("/", "-")


def take(
    page: Page, address: str, file: Path, plane: Plane, settle: timedelta = _UNTIL_DRAWN
) -> None:
    """One picture, once the page has numbers and its charts are drawn."""
    page.goto(f"{plane.url}{address}")
    page.wait_for_load_state("load")
    # Charts are drawn when they are seen.
    height = min(int(page.evaluate("document.documentElement.scrollHeight")), _TALLEST)
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"], "height": max(height, size["height"])})
    page.wait_for_timeout(settle.total_seconds() * 1000)
    page.screenshot(path=file, animations="disabled", caret="hide")
    page.set_viewport_size(size)
    _make_smaller(file)


def _make_smaller(file: Path) -> None:
    """Only the colours that are seen most, those exactly."""
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    counted = cast(list[tuple[int, tuple[int, int, int]]], picture.getcolors(_ALL_COLOURS))
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in sorted(counted)[-_COLOURS:] for part in colour])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(file, optimize=True)


@contextmanager
def _launch() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@contextmanager
def _open(browser: Browser, plane: Plane, look: str) -> Iterator[Page]:
    context = browser.new_context(
        base_url=plane.url, ignore_https_errors=True, timezone_id="UTC", **_LOOKS[look]
    )
    yield context.new_page()
    context.close()


def _fill(plane: Plane) -> Shop:
    with plane.client() as api:
        shop = create_cluster(api, "shop", size="db-s-2vcpu-4gb", tags=["production", "eu"])
        create_cluster(api, "analytics", region="fra1")
        base = f"/v2/databases/{shop['id']}"

        def ask(method: str, path: str, body: object) -> Any:
            answer = api.request(method, f"{base}{path}", json=body)
            assert answer.is_success, answer.text
            return answer.json() if answer.content else None

        for name in ("app", "reports"):
            ask("POST", "/users", {"name": name})
        for name in ("shop", "catalogue"):
            ask("POST", "/dbs", {"name": name})
        rules = [
            {"type": "ip_addr", "value": "127.0.0.0/8", "description": "this machine"},
            {"type": "ip_addr", "value": "203.0.113.0/24", "description": "the office in Utrecht"},
            {"type": "ip_addr", "value": "198.51.100.17", "description": "continuous integration"},
        ]
        ask("PUT", "/firewall", {"rules": rules})
        made = [ask("POST", "/pools", pool)["pool"] for pool in _POOLS]
        ask("PUT", "/pools/web", {**_POOLS[0], "size": 20})
        ask("PUT", "/pools/web", {**_POOLS[0], "size": 22})
        token = {"name": "terraform", "scopes": ["database:read", "database:create"]}
        assert api.post("/v1/tokens", json=token).is_success
        uris = {pool["name"]: str(pool["connection"]["uri"]) for pool in made}
        uris["analysts"] = _log_in_as_app(api, str(shop["id"]), made)
        return Shop(str(shop["id"]), uris)


def _log_in_as_app(api: httpx.Client, cluster_id: str, pools: list[Any]) -> str:
    """The address of the pool that takes any user, for one of them."""
    web = next(pool["connection"]["uri"] for pool in pools if pool["name"] == "web")
    return str(web).replace("/web?", "/analysts?")


@contextmanager
def _at_work(shop: Shop) -> Iterator[None]:
    with ExitStack() as stack:
        for pool, clients, seconds, application in _LOADS:
            load = Load(
                shop.uris[pool],
                clients,
                _WORK.format(seconds),
                reconnect=False,
                application_name=application,
            )
            load.start()
            stack.callback(load.stop)
        time.sleep(8)
        yield


def _seed(plane: Plane, shop: Shop) -> None:
    """What is seen under load becomes a day of history; pools work on meanwhile."""
    with plane.client() as api:
        host = _read_latest(api, shop.id, "host", Kind.HOST)
        cluster = _read_latest(api, shop.id, "cluster", Kind.CLUSTER)
        pools = {
            pool["name"]: _read_latest(api, shop.id, f"pool:{pool['name']}", Kind.POOL)
            for pool in _POOLS
        }
    plane.stop()
    now = int(time.time())
    sample = Sample(now, cluster, cast(Any, pools))
    until = now + _RESTART_SECONDS
    seed(plane.home / "samples.db", until, Sample(now, host), {UUID(shop.id): sample})
    plane.start("--empty")


def _read_latest(api: httpx.Client, cluster_id: str, subject: str, kind: Kind) -> dict[str, Any]:
    """The last values that are known of a subject."""
    place = f"/v1/clusters/{cluster_id}/samples"
    answer = api.get(place, params={"subject": subject, "span": 6, "points": 6})
    assert answer.is_success, answer.text
    found = answer.json()["samples"]["values"]
    return {
        value.name: next((each for each in reversed(found[value.name]) if each is not None), None)
        for value in STORED[kind]
    }


if __name__ == "__main__":
    main()
