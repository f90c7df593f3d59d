"""The table of a cluster's pools: what it says, finds, sorts, and how fast."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest

from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.status import Phase, PoolLoad, PoolState
from poolkeeper.domain.tokens import CREATE, DELETE, READ, UPDATE
from poolkeeper.store import clusters, pools, status
from poolkeeper.usecases.pools import create_pool, delete_pool, get_pool
from tests.panel.browsing import Panel

SHAPE = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 3)
FREE = re.compile(r'<span class="left">([\d,]+)</span> backend connections remaining')


def add_pools(panel: Panel, cluster_id: UUID, *names: str, size: int = 3) -> None:
    for name in names:
        shape = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, size)
        create_pool(panel.context, "test", cluster_id, name, shape)


def fill(panel: Panel, cluster_id: UUID, count: int) -> None:
    """Many pools at once, past what a budget would allow."""
    with panel.context.store.write() as tx:
        generation = clusters.bump_generation(tx, cluster_id)
        for number in range(count):
            pools.insert_pool(tx, cluster_id, f"pool-{number:04}", SHAPE, generation)
    panel.reconciler.apply(cluster_id)
    loads = {f"pool-{number:04}": PoolLoad(number, 0, 1, 2, 0.0) for number in range(count)}
    panel.context.observations.put_loads(cluster_id, loads)


def list_names(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a class="name" href="[^"]*/([^/"]+)"', page)


def test_without_pools_the_page_says_what_to_do(panel: Panel) -> None:
    base = f"/databases/{panel.create_cluster()}"
    path = f"{base}/pools"
    page = panel.browse_as(READ, CREATE).get(path).text
    assert FREE.findall(page) == ["22"]
    assert "No connection pool yet" in page
    assert f'href="{base}/new-pool"' in page
    theirs = panel.browse_as(READ).get(path).text
    assert "may not create one" in theirs
    assert f'href="{base}/new-pool"' not in theirs


def test_each_pool_has_a_row_with_its_settings_and_its_load(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    add_pools(panel, cluster_id, "web")
    inbound = PoolShape("defaultdb", None, PoolMode.SESSION, 5)
    create_pool(panel.context, "test", cluster_id, "inbound", inbound)
    panel.context.observations.put_loads(cluster_id, {"web": PoolLoad(7, 2, 3, 0, 1.25)})
    page = panel.browse_as(READ).get(f"/databases/{cluster_id}/pools").text
    assert FREE.findall(page) == ["14"]
    assert "8 of 22 held by 2 pools" in page
    assert list_names(page) == ["inbound", "web"]
    assert "connecting user" in page
    assert 'data-live="pool.web.clients_active">7</span>' in page
    assert 'data-live="pool.web.clients_waiting">2</span>' in page
    assert 'data-live="pool.web.maxwait_seconds" data-live-as="duration">1.2 s</span>' in page
    assert 'data-live="pool.inbound.clients_active">–</span>' in page
    assert f'data-stream="/live?cluster={cluster_id}"' in page


@pytest.mark.parametrize(
    ("scopes", "actions"),
    [((READ,), 1), ((READ, UPDATE), 2), ((READ, UPDATE, DELETE), 3)],
)
def test_a_row_offers_what_the_token_allows(
    panel: Panel, scopes: tuple[str, ...], actions: int
) -> None:
    cluster_id = panel.create_cluster()
    add_pools(panel, cluster_id, "web")
    page = panel.browse_as(*scopes).get(f"/databases/{cluster_id}/pools").text
    assert page.count('<use href="#icon-') == actions


def test_a_pool_that_is_in_trouble_says_why(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    add_pools(panel, cluster_id, "web")
    pool = get_pool(panel.context, cluster_id, "web")
    with panel.context.store.write() as tx:
        why = "PgBouncer said <no>"
        status.write_pool_state(tx, PoolState(pool.id, Phase.FAILED, why, tx.now, 1, 9))
    page = panel.browse_as(READ).get(f"/databases/{cluster_id}/pools").text
    assert '<span class="badge bad">Failed</span>' in page
    assert "PgBouncer said &lt;no&gt;" in page
    # It still holds what it had before it was to be smaller.
    assert "holds 9" in page
    assert "<strong>6</strong> still held by pools that were made smaller" in page


def test_what_a_deleted_pool_keeps_is_told(panel: Panel) -> None:
    object.__setattr__(panel.context, "grace", timedelta(seconds=10))
    cluster_id = panel.create_cluster()
    add_pools(panel, cluster_id, "web", "worker")
    delete_pool(panel.context, "test", cluster_id, "web")
    browser = panel.browse_as(READ)
    page = browser.get(f"/databases/{cluster_id}/pools").text
    assert FREE.findall(page) == ["16"]
    assert "<strong>3</strong> held by <strong>web</strong>, deleted" in page
    panel.clock.advance(seconds=11)
    panel.reconciler.apply(cluster_id)
    page = browser.get(f"/databases/{cluster_id}/pools").text
    assert FREE.findall(page) == ["19"]
    assert ", deleted" not in page


@pytest.mark.parametrize(
    ("query", "names", "order"),
    [
        ("", ["alpha", "beta", "gamma"], ("name", "ascending")),
        ("?sort=size&order=desc", ["gamma", "alpha", "beta"], ("size", "descending")),
        ("?sort=size", ["beta", "alpha", "gamma"], ("size", "ascending")),
        (
            "?sort=clients_waiting&order=desc",
            ["beta", "alpha", "gamma"],
            ("clients_waiting", "descending"),
        ),
        ("?sort=nonsense&page=-3", ["alpha", "beta", "gamma"], ("name", "ascending")),
        ("?q=AM", ["gamma"], ("name", "ascending")),
        ("?q=session", ["beta"], ("name", "ascending")),
    ],
)
def test_it_is_sorted_and_searched_without_scripts(
    panel: Panel, query: str, names: list[str], order: tuple[str, str]
) -> None:
    cluster_id = panel.create_cluster()
    for name, size, mode in (
        ("beta", 2, PoolMode.SESSION),
        ("alpha", 4, PoolMode.TRANSACTION),
        ("gamma", 6, PoolMode.TRANSACTION),
    ):
        shape = PoolShape("defaultdb", "doadmin", mode, size)
        create_pool(panel.context, "test", cluster_id, name, shape)
    # Nothing is known of gamma: it comes last, whichever way.
    loads = {"beta": PoolLoad(1, 5, 0, 0, 0.0), "alpha": PoolLoad(1, 0, 0, 0, 0.0)}
    panel.context.observations.put_loads(cluster_id, loads)
    page = panel.browse_as(READ).get(f"/databases/{cluster_id}/pools{query}").text
    assert list_names(page) == names
    [(direction, column)] = re.findall(
        r'aria-sort="(\w+)"><a class="sort" href="\?[^"]*sort=(\w+)', page
    )
    assert (column, direction) == order


def test_a_search_in_vain_leads_back(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    add_pools(panel, cluster_id, "web")
    page = panel.browse_as(READ).get(f'/databases/{cluster_id}/pools?q="><b>x').text
    assert "No pool matches “&#34;&gt;&lt;b&gt;x”" in page
    assert "<b>x" not in page
    assert "Show all" in page


def test_a_thousand_pools_come_in_pages_and_at_once(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    fill(panel, cluster_id, 1000)
    browser = panel.browse_as(READ)
    path = f"/databases/{cluster_id}/pools"
    page = browser.get(f"{path}?sort=clients_active&order=desc&page=2").text
    assert list_names(page)[:2] == ["pool-0949", "pool-0948"]
    assert len(list_names(page)) == 50
    assert "1,000 of 1,000 pools, page 2 of 20" in page
    # Only the numbers of those that are shown are asked for.
    stream = re.search(r'data-stream="([^"]*)"', page)
    assert stream and stream[1].count("&amp;pool=") + stream[1].count("&pool=") == 50
    assert list_names(browser.get(f"{path}?q=0777").text) == ["pool-0777"]
    assert len(page) < 150_000


def test_there_is_a_field_to_sort_by_that_keeps_what_was_found(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    add_pools(panel, cluster_id, "web", "jobs")
    page = panel.browse_as(READ).get(f"/databases/{cluster_id}/pools?q=e&sort=size").text
    [form] = re.findall(r'<form method="get" [^>]*class="sort-by">.*?</form>', page, re.S)
    assert '<input type="hidden" name="q" value="e">' in form
    assert '<option value="size" selected>Size</option>' in form
    assert '<option value="clients_waiting">Clients waiting</option>' in form
