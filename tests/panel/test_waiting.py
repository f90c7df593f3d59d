"""Forms that wait for the reconciler, and those who read meanwhile."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from poolkeeper.domain.tokens import READ, UPDATE
from poolkeeper.panel.pages import danger
from tests.panel.browsing import Panel
from tests.plane import wait_until


def test_forms_that_wait_leave_threads_to_who_reads(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel.app.state, "changes", asyncio.Semaphore(2))
    path = f"/databases/{panel.create_cluster()}/settings/rotate"
    waiting: list[int] = []
    most, goes_on = [0], threading.Event()

    def wait(*_: object) -> None:
        waiting.append(1)
        most[0] = max(most[0], len(waiting))
        assert goes_on.wait(60)
        waiting.pop()

    monkeypatch.setattr(danger, "reset_auth", wait)
    browsers = [panel.browse_as(READ, UPDATE) for _ in range(6)]
    reader = panel.browse_as(READ)
    with ThreadPoolExecutor(len(browsers)) as callers:
        answers = [callers.submit(browser.send, path) for browser in browsers]
        wait_until("two forms wait", lambda: len(waiting) >= 2)
        # What does not wait does not stand in line either.
        assert reader.get("/databases").status_code == 200
        assert reader.send("/theme", {"theme": "dark", "next": "/"}).status_code == 303
        goes_on.set()
        assert {answer.result().status_code for answer in answers} == {303}
    assert most[0] == 2
