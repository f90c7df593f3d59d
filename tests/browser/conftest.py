"""Real browsers on a real control plane.

A test asks for ``visitor``, a page in a browser of its own in which nobody is signed in, or
for ``owner``, in which the administrator is. Both fail the test afterwards for whatever a
page did wrong meanwhile: see ``watched``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.creation import holdable_plane
from tests.plane import Plane

# Chromium says so by itself of what tests ask for: answers from 400 upwards, a server that is down.
_EXPECTED = (
    "Failed to load resource: the server responded with a status of 4",
    *(
        f"Failed to load resource: net::ERR_{word}"
        for word in ("CONNECTION_", "EMPTY_RESPONSE", "INCOMPLETE_CHUNKED_ENCODING")
    ),
    # htmx says the same of what it asked for: a page of a cluster that was deleted.
    "Response Status Error Code 4",
    # And of what it was asking for when the page was left.
    *("htmx:afterRequest", "htmx:sendAbort", "htmx:sendError"),
)

# Milliseconds. How quick things are is what scripts/bench tells; a busy machine is no fault.
_PATIENCE = 40_000
expect.set_options(timeout=_PATIENCE)

# What a page says goes after 8 seconds; the machine may not have looked by then.
_UNHURRIED = """(() => {
  const { setTimeout } = window;
  window.setTimeout = (action, delay, ...more) =>
    setTimeout(action, delay === 8000 ? 80000 : delay, ...more);
})()"""

Open = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, which is there anyway; none is downloaded."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("there is no Chromium: run scripts/setup --dev")
    # Chromium's sandbox does not work as root.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, plane: Plane) -> Open:
    """``with open_page(width=360, color_scheme="dark") as page``: in a browser of its own."""

    @contextmanager
    def open_page(width: int = 1280, height: int = 800, **options: object) -> Iterator[Page]:
        viewport = {"width": width, "height": height}
        address = str(options.setdefault("base_url", plane.url))
        context = chromium.new_context(
            ignore_https_errors=True,
            viewport=viewport,  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )
        try:
            context.add_init_script(_UNHURRIED)
            page = context.new_page()
            page.set_default_timeout(_PATIENCE)
            with watched(page, address):
                yield page
        finally:
            context.close()

    return open_page


@pytest.fixture
def patient_plane() -> Iterator[Plane]:
    """A control plane of one's own, whose clients wait for a backend as long as they do by
    default: a slow machine does not cut them."""
    with holdable_plane() as plane:
        yield plane


@pytest.fixture
def visitor(open_page: Open) -> Iterator[Page]:
    """Nobody is signed in."""
    with open_page() as page:
        yield page


@pytest.fixture
def owner(open_page: Open, plane: Plane) -> Iterator[Page]:
    """The administrator is signed in."""
    with open_page() as page:
        sign_in(page, plane.token)
        yield page


def sign_in(page: Page, token: str) -> None:
    """Sign in with a token, as a person does."""
    page.goto("/sign-in")
    page.get_by_label("API token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/databases")


_NOTE_COPYING = """() => {
  const noted = [];
  const note = ({ target }) => {
    if (target.matches?.("[data-copy], #said")) noted.push(target.textContent);
  };
  const observer = new MutationObserver((changes) => changes.forEach(note));
  observer.observe(document.body, { childList: true, subtree: true });
  return noted;
}"""


def note_copying(page: Page) -> Callable[[], list[str]]:
    """What buttons that copy say from now on, and what is said of it; it goes in a moment."""
    noted = page.evaluate_handle(_NOTE_COPYING)
    return lambda: list(noted.json_value())


@contextmanager
def watched(page: Page, url: str) -> Iterator[None]:
    """Fail afterwards if a page asked another machine for something, broke the content
    security policy, logged an error, or had a script that failed."""
    wrong: list[str] = []
    ours = urlsplit(url).netloc

    def look(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("data", "blob") and parts.netloc != ours:
            wrong.append(f"asked elsewhere: {address}")

    page.on("request", lambda request: look(request.url))
    page.on("pageerror", lambda error: wrong.append(f"script failed: {error}"))
    page.on(
        "console",
        lambda message: (
            wrong.append(f"console: {message.text}")
            if message.type in ("error", "warning") and not message.text.startswith(_EXPECTED)
            else None
        ),
    )
    yield
    assert wrong == []
