"""A pool's page: what goes on in it, who its clients are, what became of it, what is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from uuid import UUID

import pytest

from poolkeeper.domain.pool_warnings import PoolFindings, Tone, list_warnings
from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.status import ApplicationClients, PoolClients, PoolLoad
from poolkeeper.domain.tokens import CREATE, DELETE, READ, UPDATE
from poolkeeper.usecases.pools import create_pool, delete_pool, update_pool
from tests.panel.browsing import Clock, Panel
from tests.panel.sampling import put_samples

SHAPE = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 8)
MOMENT = Clock().moment
QUIET = PoolFindings(
    shape=SHAPE,
    load=PoolLoad(3, 0, 1, 7, 0.0),
    clients=None,
    idle_in_transaction=0,
    busy=[5.0] * 90,
    most_busy=7.0,
    step=10,
)


def make_pool(panel: Panel, name: str = "web", shape: PoolShape = SHAPE) -> tuple[UUID, str]:
    """A pool, and the address of its page."""
    cluster_id = panel.create_cluster()
    create_pool(panel.context, "terraform", cluster_id, name, shape)
    return cluster_id, f"/databases/{cluster_id}/pools/{name}"


def client(application: str, active: int = 0, waiting: int = 0, idle: int = 0) -> PoolClients:
    seen = ApplicationClients(application, active, waiting, idle, 1.5 if waiting else 0.0)
    return PoolClients(MOMENT, (seen,))


def test_the_page_tells_what_goes_on(panel: Panel) -> None:
    cluster_id, address = make_pool(panel)
    values = {"xacts_per_second": 50.0, "xact_work": 0.5, "size": 8.0, "backends_active": 3.0}
    put_samples(panel, cluster_id, {}, {"web": values}, seconds=60)
    panel.context.observations.put_loads(cluster_id, {"web": PoolLoad(9, 2, 3, 1, 0.4)})
    page = panel.browse_as(READ).get(address).text
    assert "<h1>main</h1>" in page and '<h2 class="title">web</h2>' in page
    for name, words in (
        ("clients_active", "9"),
        ("clients_waiting", "2"),
        ("backends_idle", "1"),
        ("maxwait_seconds", "400 ms"),
        ("xacts_per_second", "50 /s"),
        ("xact_seconds", "10 ms"),
    ):
        assert re.search(rf'data-live="pool.web.{name}" [^>]*>{words}<', page), name
    assert f'data-stream="/live?cluster={cluster_id}&amp;pool=web"' in page
    assert 'data-chart="backends"' in page
    assert "LISTEN, session advisory locks" in page


def test_clients_are_told_by_application(panel: Panel) -> None:
    cluster_id, address = make_pool(panel)
    browser = panel.browse_as(READ)
    assert "Nobody is connected." in browser.get(address).text
    panel.context.observations.put_loads(cluster_id, {"web": PoolLoad(0, 1, 0, 0, 0.1)})
    page = browser.get(address).text
    assert "Nobody is connected." not in page
    assert "Who they are is asked every few seconds" in page
    applications = (
        ApplicationClients("<script>alert(1)</script>", 3, 2, 10, 1.25),
        ApplicationClients("", 1, 0, 0, 0.0),
    )
    clients = PoolClients(MOMENT, applications, others=1234)
    panel.context.observations.put_clients(cluster_id, {"web": clients})
    page = browser.get(address).text
    assert "<script>alert" not in page
    [row] = re.findall(r"<tr><th[^>]*>[^\n]*alert\(1\).*?</tr>", page, re.S)
    assert re.findall(r'<td class="number">([^<]*)</td>', row) == ["15", "3", "2", "10", "1.25 s"]
    assert "(none given)" in page
    assert "1,234" in page


def test_the_history_tells_from_what_to_what_and_by_whom(panel: Panel) -> None:
    cluster_id, address = make_pool(panel)
    create_pool(panel.context, "other", cluster_id, "other", replace(SHAPE, size=1))
    update_pool(panel.context, "ci", cluster_id, "web", replace(SHAPE, size=5))
    bound = replace(SHAPE, size=5, mode=PoolMode.SESSION, user=None)
    update_pool(panel.context, "ci", cluster_id, "web", bound)
    page = panel.browse_as(READ).get(address).text
    [history] = re.findall(r'id="pool-history".*?</section>', page, re.S)
    rows = re.findall(r"<tr>\s*<td.*?</tr>", history, re.S)
    words = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", row)) for row in rows]
    assert len(words) == 3
    assert "user doadmin → (as the connecting user)" in words[0]
    assert "mode transaction → session" in words[0]
    assert "size 8 → 5" in words[1] and "ci" in words[1]
    assert "mode" not in words[1]
    assert "Pool created" in words[2] and "size 8" in words[2] and "terraform" in words[2]


def test_a_pool_of_the_same_name_begins_anew_in_the_history(panel: Panel) -> None:
    cluster_id, address = make_pool(panel)
    delete_pool(panel.context, "ci", cluster_id, "web")
    create_pool(panel.context, "ci", cluster_id, "web", SHAPE)
    page = panel.browse_as(READ).get(address).text
    assert "Pool deleted" in page
    assert "→ </span>" not in page


def test_what_one_may_not_do_is_not_offered(panel: Panel) -> None:
    _, address = make_pool(panel)
    page = panel.browse_as(READ).get(address).text
    assert f'href="{address}/connect"' in page
    assert f'href="{address}/edit"' not in page and f'href="{address}/delete"' not in page
    page = panel.browse_as(READ, UPDATE, DELETE).get(address).text
    assert f'href="{address}/edit"' in page and f'href="{address}/delete"' in page
    creator = panel.browse()
    creator.sign_in(panel.issue_token(CREATE))
    assert creator.get(address).status_code == 403


@pytest.mark.parametrize("name", ["none", "WEB", "%3Cb%3E", "a" * 300])
def test_a_pool_that_is_not_there(panel: Panel, name: str) -> None:
    _, address = make_pool(panel)
    assert panel.browse_as(READ).get(address.replace("/web", f"/{name}")).status_code == 404


def test_the_longest_name(panel: Panel) -> None:
    _, address = make_pool(panel, "n" * 63)
    assert panel.browse_as(READ).get(address).status_code == 200


def test_what_is_loaded_again_has_warnings_and_no_charts(panel: Panel) -> None:
    cluster_id, address = make_pool(panel)
    panel.context.observations.put_loads(cluster_id, {"web": PoolLoad(8, 3, 8, 0, 2.0)})
    again = panel.browse_as(READ).get(address, poolkeeper_background="yes").text
    assert "3 clients wait for a backend, the first for 2.0 s" in again
    assert "data-chart=" not in again


def test_waiting_is_explained() -> None:
    [warning] = list_warnings(replace(QUIET, load=PoolLoad(8, 1, 8, 0, 2.5)))
    assert warning.title == "1 client waits for a backend, the first for 2.5 s"
    assert "All 8 backends are in use, each until its transaction ends." in warning.text
    session = replace(SHAPE, mode=PoolMode.SESSION)
    [warning] = list_warnings(replace(QUIET, shape=session, load=PoolLoad(8, 2, 8, 0, 90)))
    assert "for 2 min" in warning.title and "as long as its client is connected" in warning.text
    [warning] = list_warnings(replace(QUIET, load=PoolLoad(0, 4, 2, 0, 0.1)))
    assert (warning.tone, warning.title) == (
        Tone.HINT,
        "4 clients wait for a backend, the first for 100 ms",
    )
    assert "2 of 8 backends are in use" in warning.text


def test_idle_transactions_matter_most_to_who_waits() -> None:
    [warning] = list_warnings(replace(QUIET, idle_in_transaction=1))
    assert (warning.tone, warning.title) == (
        Tone.HINT,
        "1 backend of this cluster idle in transaction",
    )
    found = list_warnings(replace(QUIET, idle_in_transaction=2, load=PoolLoad(8, 1, 8, 0, 2.5)))
    assert [each.tone for each in found] == [Tone.WARN, Tone.WARN]
    assert list_warnings(replace(QUIET, idle_in_transaction=2, load=None)) == []


def test_a_dump_through_a_pool_is_warned_of() -> None:
    [warning] = list_warnings(replace(QUIET, clients=client("pg_dump", active=1)))
    assert (warning.tone, warning.title) == (Tone.BAD, "pg_dump runs through this pool")
    session = replace(SHAPE, mode=PoolMode.SESSION)
    assert list_warnings(replace(QUIET, shape=session, clients=client("pg_dump"))) == []
    assert list_warnings(replace(QUIET, clients=client("shop"))) == []


def test_a_size_that_limits_and_one_that_is_never_used() -> None:
    [warning] = list_warnings(replace(QUIET, busy=[8.0] * 60 + [1.0] * 30, most_busy=8.0))
    assert warning.title == "All backends were in use in 67% of the last 15 min"
    [warning] = list_warnings(replace(QUIET, busy=[1.0] * 90, most_busy=2.0))
    assert warning.title == "At most 2 of 8 backends were in use at once in the last 15 min"
    # Or for as long as the pool is there.
    young = [None] * 54 + [8.0] * 36
    [warning] = list_warnings(replace(QUIET, busy=young, most_busy=8.0))
    assert warning.title == "All backends were in use in 100% of the last 6 min"
    [warning] = list_warnings(replace(QUIET, busy=young, most_busy=8.0, step=40))
    assert warning.title.endswith("of the last 24 min")
    [warning] = list_warnings(replace(QUIET, busy=[8.0] * 30 + [None] * 30 + [8.0] * 30))
    assert warning.title.endswith("of the 10 min seen of the last 15 min")
    [warning] = list_warnings(replace(QUIET, busy=[8.0] * 90, step=40))
    assert warning.title.endswith("of the last 1 h")
    [warning] = list_warnings(replace(QUIET, busy=[8.0] * 90, step=28800))
    assert warning.title.endswith("of the last 30 d")
    # A pool that nobody has used, or that was seen for a moment only, is not judged.
    assert list_warnings(replace(QUIET, busy=[0.0] * 90, most_busy=0.0)) == []
    assert list_warnings(replace(QUIET, busy=[None] * 80 + [8.0] * 10)) == []
