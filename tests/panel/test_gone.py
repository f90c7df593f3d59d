"""What is not there: deleted while its page is open, or before."""

from __future__ import annotations

import pytest

from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.tokens import ADMIN
from poolkeeper.usecases.clusters import delete_cluster
from poolkeeper.usecases.pools import create_pool
from tests.panel.browsing import Panel

SHAPE = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 10)
BACKGROUND = {"hx_request": "true", "poolkeeper_background": "yes"}


@pytest.mark.parametrize(
    ("path", "told", "up", "up_text"),
    [
        ("/pools/web", "This pool has been deleted", "/pools", "All pools of main"),
        ("/pools/web/edit", "This pool has been deleted", "/pools", "All pools of main"),
        ("/users/app", "This user has been deleted", "/users", "All users of main"),
        ("/dbs/app/delete", "This database has been deleted", "/users", "All databases of main"),
    ],
)
def test_an_open_page_says_that_it_is_gone(
    panel: Panel, path: str, told: str, up: str, up_text: str
) -> None:
    base = f"/databases/{panel.create_cluster()}"
    answer = panel.browse_as(ADMIN).get(base + path, **BACKGROUND)
    assert (answer.status_code, answer.headers["hx-retarget"]) == (404, "#gone")
    assert told in answer.text
    assert f'href="{base}{up}">{up_text}</a>' in answer.text
    assert "<html" not in answer.text


def test_a_page_of_a_deleted_cluster_leads_to_the_list_of_all(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    create_pool(panel.context, "test", cluster_id, "web", SHAPE)
    delete_cluster(panel.context, "test", cluster_id)
    answer = panel.browse_as(ADMIN).get(f"/databases/{cluster_id}/pools/web", **BACKGROUND)
    assert "This database cluster has been deleted" in answer.text
    assert 'href="/databases">All databases</a>' in answer.text


def test_who_comes_too_late_is_led_to_what_is_there(panel: Panel) -> None:
    base = f"/databases/{panel.create_cluster()}"
    browser = panel.browse_as(ADMIN)
    page = browser.get(f"{base}/pools/web").text
    assert "There is no such thing" in page
    assert f'href="{base}/pools">All pools of main</a>' in page
    assert 'href="/">Back to the start</a>' in browser.get("/nothing").text
