"""A cluster with a thousand of everything: each page stays one that a person can use."""

from __future__ import annotations

import re
from dataclasses import replace
from uuid import UUID

import pytest

from poolkeeper.domain.errors import BudgetExceeded, StillInUse
from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.tokens import ADMIN
from poolkeeper.domain.users import Role
from poolkeeper.store import clusters, databases, pools, users
from poolkeeper.usecases.credentials import new_user
from tests.panel.browsing import Panel

MANY = 1000


@pytest.fixture
def base(panel: Panel) -> str:
    """The address of a cluster with many users, databases and pools, past any budget."""
    cluster_id = panel.create_cluster()
    fill(panel, cluster_id)
    return f"/databases/{cluster_id}"


def fill(panel: Panel, cluster_id: UUID) -> None:
    with panel.context.store.write() as tx:
        generation = clusters.bump_generation(tx, cluster_id)
        one = new_user(panel.context, "user-0000", Role.NORMAL, generation)
        for number in range(MANY):
            user = replace(one, name=f"user-{number:04}")
            users.put_user(tx, cluster_id, user)
            databases.put_database(tx, cluster_id, f"db-{number:04}", generation)
            shape = PoolShape(f"db-{number:04}", user.name, PoolMode.TRANSACTION, 1 + number % 7)
            pools.insert_pool(tx, cluster_id, f"pool-{number:04}", shape, generation)
    panel.reconciler.apply(cluster_id)


def list_users(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="[^"]*/users/([^/"]+)"', page)


def test_users_and_databases_come_in_pages(panel: Panel, base: str) -> None:
    browser = panel.browse_as(ADMIN)
    page = browser.get(f"{base}/users").text
    assert len(list_users(page)) == 50
    # With doadmin and defaultdb.
    assert "1,001 of 1,001 users, page 1 of 21" in page
    assert "1,001 of 1,001 databases, page 1 of 21" in page
    turned = browser.get(f"{base}/users?users=3&dbs=2").text
    assert "users, page 3 of 21" in turned and "databases, page 2 of 21" in turned
    assert set(list_users(turned)).isdisjoint(list_users(page))
    # One list is turned without the other, and what is loaded again is the same page.
    assert 'href="?users=4&amp;dbs=2"' in turned and 'href="?users=3&amp;dbs=3"' in turned
    assert f'hx-get="{base}/users?users=3&amp;dbs=2"' in turned
    assert len(page) < 150_000


def test_users_and_databases_are_found_by_name(panel: Panel, base: str) -> None:
    browser = panel.browse_as(ADMIN)
    page = browser.get(f"{base}/users?q=-0777").text
    assert list_users(page) == ["user-0777"]
    assert "1 of 1,001 users" in page and "1 of 1,001 databases" in page
    assert 'value="-0777"' in page
    in_pages = browser.get(f"{base}/users?q=user&users=2").text
    assert 'href="?q=user&amp;users=3"' in in_pages
    assert "No database has “user” in its name." in in_pages


def test_few_users_need_no_search(panel: Panel) -> None:
    page = panel.browse_as(ADMIN).get(f"/databases/{panel.create_cluster()}/users").text
    assert 'type="search"' not in page and 'class="pager"' not in page


def test_the_largest_pools_are_named_and_the_others_counted(panel: Panel, base: str) -> None:
    page = panel.browse_as(ADMIN).get(f"{base}/pools").text
    bar = page[page.index('class="bar"') : page.index("</svg>", page.index('class="bar"'))]
    assert bar.count("<rect") == 13
    assert "988 more pools" in bar
    assert page.count("<tr>") < 60


def test_names_of_which_there_are_many_are_typed(panel: Panel, base: str) -> None:
    browser = panel.browse_as(ADMIN)
    for path in ("/new-pool", "/pools/pool-0001/edit"):
        form = browser.get(base + path).text
        assert '<select id="field-db"' not in form
        assert 'list="names-db"' in form and '<option value="db-0999"></option>' in form
        assert 'placeholder="as the connecting user"' in form
    assert 'list="names-user"' in browser.get(f"{base}/connect").text
    sent = {"name": "typed", "db": "db-none", "user": "doadmin", "mode": "session", "size": "1"}
    answer = browser.send(f"{base}/new-pool", sent)
    assert answer.status_code == 422
    assert "there is no database &#39;db-none&#39; in this cluster" in answer.text


def test_a_refusal_names_those_who_hold_most(panel: Panel, base: str) -> None:
    sent = {"name": "late", "db": "defaultdb", "user": "", "mode": "session", "size": "5"}
    browser = panel.browse_as(ADMIN)
    browser.get(f"{base}/new-pool")
    refusal = browser.send(f"{base}/new-pool", sent).text
    assert "0 left of 22 backend connections" in refusal
    assert "and 988 other pools together" in refusal
    error = BudgetExceeded(5, 22, {"b": 4, "a": 3})
    assert error.reason == "asked for 5, 15 left of 22 backend connections (held: a 3, b 4)"


def test_a_refusal_to_delete_names_the_first_of_those_in_the_way() -> None:
    pools = [f"pool-{number:04}" for number in range(1000)]
    message = str(StillInUse("user", "app", pools))
    assert message.startswith("user 'app' is used by 1000 pools: pool-0000, pool-0001, ")
    assert message.endswith(", pool-0011 and 988 more; delete or change them first")
    assert "more" not in str(StillInUse("user", "app", pools[:12]))
