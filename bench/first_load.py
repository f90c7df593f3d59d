"""What a browser that was never here before transfers until a page stands: Debian's Chromium, with
nothing in its cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, sync_playwright

from tests.plane import Plane

# They last as long as the page is open, so they are no part of its load.
_STREAMS = "eventsource"


@dataclass
class FirstLoad:
    """Bytes with their headers, as they came over the wire, by path; and who else was asked."""

    transferred: dict[str, int] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.transferred.values())


def load_first(plane: Plane, cookie: str, paths: list[str]) -> dict[str, FirstLoad]:
    """Each page in a browser of its own that is signed in and has seen nothing yet."""
    found = {}
    for path in paths:
        with open_signed_in(plane, cookie) as page:
            found[path] = _load(page, plane, path)
    return found


@contextmanager
def open_signed_in(plane: Plane, cookie: str) -> Iterator[Page]:
    """An empty page of a browser that has this session and has seen nothing yet."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    # Chromium's sandbox does not work as root.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        context = browser.new_context(base_url=plane.url, ignore_https_errors=True)
        context.add_cookies(
            [
                {"name": name, "value": value, "url": plane.url, "secure": True}
                for name, _, value in (each.partition("=") for each in cookie.split("; "))
            ]
        )
        yield context.new_page()
        browser.close()


def _load(page: Page, plane: Plane, path: str) -> FirstLoad:
    load = FirstLoad()
    done: list[Request] = []

    def look(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and parts.netloc != urlsplit(plane.url).netloc:
            load.elsewhere.append(request.url)

    def note(request: Request) -> None:
        done.append(request)

    page.on("request", look)
    page.on("requestfinished", note)
    page.goto(path, wait_until="load")
    # What scripts ask for once the page stands belongs to it.
    page.wait_for_timeout(1500)
    for request in done:
        if request.resource_type != _STREAMS and not request.url.startswith("data:"):
            sizes = request.sizes()
            size = sizes["responseBodySize"] + sizes["responseHeadersSize"]
            address = urlsplit(request.url).path
            load.transferred[address] = load.transferred.get(address, 0) + size
    if path not in load.transferred:
        raise RuntimeError(f"{path} did not load: {sorted(load.transferred)}")
    return load
