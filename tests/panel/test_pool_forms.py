"""Creating, changing and deleting a pool by plain forms."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest

from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.status import PoolLoad
from poolkeeper.domain.tokens import ADMIN, CREATE, DELETE, READ, UPDATE
from poolkeeper.usecases import pools
from poolkeeper.usecases.pools import create_pool, get_pool, list_pools, update_pool
from poolkeeper.usecases.users import create_user
from tests.panel.addresses import list_routes
from tests.panel.browsing import Browser, Panel

NEW = {"name": "web", "db": "defaultdb", "user": "doadmin", "mode": "transaction", "size": "5"}
SHAPE = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 5)


@pytest.fixture
def cluster_id(panel: Panel) -> UUID:
    return panel.create_cluster()


def add_web(panel: Panel, cluster_id: UUID, shape: PoolShape = SHAPE) -> str:
    create_pool(panel.context, "test", cluster_id, "web", shape)
    return f"/databases/{cluster_id}/pools/web"


def read_error(page: str, field: str) -> str:
    found = re.search(rf'<p class="error" id="error-{field}">([^<]*)</p>', page)
    assert found, f"no error beside {field}"
    return found[1]


def apply_plan(browser: Browser, path: str, **change: str) -> tuple[int, str]:
    """Look at the plan of a change, and send the form that it has."""
    chosen = {"db": "defaultdb", "user": "doadmin", "mode": "transaction", "size": "5"} | change
    page = browser.get(f"{path}/edit?{'&'.join(f'{k}={v}' for k, v in chosen.items())}").text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    answer = browser.send(f"{path}/edit", {k: v for k, v in hidden.items() if k != "csrf"})
    return answer.status_code, answer.headers.get("location", answer.text)


def test_a_new_pool_is_suggested_as_most_want_it(panel: Panel, cluster_id: UUID) -> None:
    page = panel.browse_as(READ, CREATE).get(f"/databases/{cluster_id}/new-pool").text
    assert '<option value="defaultdb" selected>' in page
    assert '<option value="doadmin" selected>' in page
    assert 'name="mode" value="transaction" checked' in page
    assert 'name="size" value="11" min="1" max="22"' in page
    assert "Suggested: 11, half of the 22 that are left" in page
    assert "Prepared statements of drivers work" in page


def test_a_pool_is_created_and_its_connection_details_open(panel: Panel, cluster_id: UUID) -> None:
    browser = panel.browse_as(READ, CREATE)
    path = f"/databases/{cluster_id}/pools"
    browser.get(f"/databases/{cluster_id}/new-pool")
    answer = browser.send(
        f"/databases/{cluster_id}/new-pool", NEW | {"user": "", "mode": "session"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}/web/connect")
    [pool] = list_pools(panel.context, cluster_id)
    assert pool.shape == PoolShape("defaultdb", None, PoolMode.SESSION, 5)
    assert "Pool web has been created." in browser.get(f"{path}/web/connect").text


def test_a_pool_may_be_named_as_any_page_is(panel: Panel, cluster_id: UUID) -> None:
    browser = panel.browse_as(READ, CREATE, UPDATE)
    for name in ("new", "new-pool", "edit", "connect", "pools"):
        browser.get(f"/databases/{cluster_id}/new-pool")
        sent = NEW | {"name": name, "size": "1"}
        path = f"/databases/{cluster_id}/pools/{name}"
        answer = browser.send(f"/databases/{cluster_id}/new-pool", sent)
        assert answer.headers["location"] == f"{path}/connect"
        for page in ("", "/connect", "/edit"):
            assert name in re.findall(r"<title>(.*)</title>", browser.get(path + page).text)[0]


def test_no_address_of_a_page_is_that_of_a_name() -> None:
    for method in ("GET", "POST"):
        routes = [route.split("/") for route in list_routes(method)]
        for named in routes:
            at = named.index("{name}") if "{name}" in named else None
            same = [route for route in routes if at and route[:at] == named[:at]]
            assert {route[at] for route in same if len(route) > at} <= {"{name}"}, named


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "3 to 63 characters"),
        ("name", 'a"><b>', "3 to 63 characters"),
        ("name", "pgbouncer", "console; choose another"),
        ("name", "taken", "pool name is not available"),
        ("db", "nowhere", "there is no database"),
        ("user", "nobody", "there is no user"),
        ("mode", "fast", "is none of transaction, session, statement"),
        ("size", "", "must be a whole number"),
        ("size", "many", "must be a whole number"),
        ("size", "0", "is not a number from 1 to 22"),
        ("size", "20", "asked for 20, 19 left of 22 backend connections (held: taken 3)"),
    ],
)
@pytest.mark.parametrize("htmx", [{}, {"hx_request": "true"}])
def test_an_error_stands_beside_its_field_and_nothing_typed_is_lost(
    panel: Panel, cluster_id: UUID, field: str, value: str, says: str, htmx: dict[str, str]
) -> None:
    shape = PoolShape("defaultdb", "doadmin", PoolMode.SESSION, 3)
    create_pool(panel.context, "test", cluster_id, "taken", shape)
    object.__setattr__(panel.context, "wait_seconds", 0.0)
    browser = panel.browse_as(READ, CREATE)
    browser.get(f"/databases/{cluster_id}/new-pool")
    typed = NEW | {"mode": "statement"} | {field: value}
    answer = browser.send(f"/databases/{cluster_id}/new-pool", typed, **htmx)
    assert answer.status_code == 422
    assert says in read_error(answer.text, field)
    assert "<b>" not in answer.text.replace("<b>3</b>", "").replace("<b>19</b>", "")
    if field != "name":
        assert 'name="name" value="web"' in answer.text
    if field != "mode":
        assert 'name="mode" value="statement" checked' in answer.text
    if field != "size":
        assert 'name="size" value="5"' in answer.text
    assert len(list_pools(panel.context, cluster_id)) == 1


def test_all_that_is_wrong_is_said_at_once(panel: Panel, cluster_id: UUID) -> None:
    browser = panel.browse_as(READ, CREATE)
    browser.get(f"/databases/{cluster_id}/new-pool")
    wrong = {"name": "a", "db": "nowhere", "user": "nobody", "size": "23"}
    answer = browser.send(f"/databases/{cluster_id}/new-pool", NEW | wrong)
    assert answer.status_code == 422
    for says in (
        "3 to 63 characters",
        "there is no database",
        "there is no user",
        "asked for 23, 22 left of 22",
    ):
        assert says in answer.text, says
    answer = browser.send(f"/databases/{cluster_id}/new-pool", NEW | {"name": "a", "size": "few"})
    assert "3 to 63 characters" in answer.text and "must be a whole number" in answer.text
    assert list_pools(panel.context, cluster_id) == []


def test_what_pgbouncer_refuses_is_said_above_the_form(panel: Panel, cluster_id: UUID) -> None:
    panel.reconciler.refusals["pool:web"] = "PgBouncer would not have <it>"
    browser = panel.browse_as(READ, CREATE)
    browser.get(f"/databases/{cluster_id}/new-pool")
    answer = browser.send(f"/databases/{cluster_id}/new-pool", NEW)
    assert answer.status_code == 422
    assert "PgBouncer would not have &lt;it&gt;" in answer.text
    assert 'name="name" value="web"' in answer.text
    assert list_pools(panel.context, cluster_id) == []


def test_without_any_connection_left_the_form_says_what_helps(
    panel: Panel, cluster_id: UUID
) -> None:
    add_web(panel, cluster_id, PoolShape("defaultdb", "doadmin", PoolMode.SESSION, 22))
    page = panel.browse_as(READ, CREATE).get(f"/databases/{cluster_id}/new-pool").text
    assert "All 22 backend connections are held by pools" in page


def test_the_plan_is_shown_before_anything_is_changed(panel: Panel, cluster_id: UUID) -> None:
    create_user(panel.context, "test", cluster_id, "app")
    path = add_web(panel, cluster_id)
    panel.context.observations.put_loads(cluster_id, {"web": PoolLoad(6, 1, 5, 0, 0.0)})
    browser = panel.browse_as(READ, UPDATE)
    assert "Change something" in browser.get(f"{path}/edit").text
    query = "db=defaultdb&user=app&mode=session&size=8"
    page = browser.get(f"{path}/edit?{query}").text
    assert "Nobody is disconnected.</strong> 7 clients connected now." in page
    assert "its client cut" not in page
    assert 'Size: <span class="before">5</span> → <strong>8</strong>' in page
    assert 'User: <span class="before">doadmin</span> → <strong>app</strong>' in page
    assert "Applies live" in page and "For new connections" in page
    assert "22 backend connections, 0 held by others, 8 for this pool, 14 left" in page
    assert get_pool(panel.context, cluster_id, "web").shape == SHAPE
    same = browser.get(f"{path}/edit?db=defaultdb&user=doadmin&mode=transaction&size=5").text
    assert "Nothing would change" in same
    cut = browser.get(f"{path}/edit?db=defaultdb&user=doadmin&mode=statement&size=5").text
    assert "is refused, and its client cut" in cut
    crowded = browser.get(f"{path}/edit?db=defaultdb&user=doadmin&mode=session&size=5").text
    assert "Nobody is disconnected" not in crowded
    assert "2 of them find none among 5" in crowded


def test_a_change_that_cannot_be_says_so_beside_its_field(panel: Panel, cluster_id: UUID) -> None:
    path = add_web(panel, cluster_id)
    answer = panel.browse_as(READ, UPDATE).get(
        f"{path}/edit?db=defaultdb&user=doadmin&mode=session&size=23"
    )
    assert answer.status_code == 422
    assert "asked for 23, 22 left of 22" in read_error(answer.text, "size")
    assert 'name="size" value="23"' in answer.text
    assert 'name="mode" value="session" checked' in answer.text
    assert "apply-plan" not in answer.text


def test_the_plan_is_applied(panel: Panel, cluster_id: UUID) -> None:
    path = add_web(panel, cluster_id)
    browser = panel.browse_as(READ, UPDATE)
    status, where = apply_plan(browser, path, size="8", user="")
    assert (status, where) == (303, f"/databases/{cluster_id}/pools")
    assert get_pool(panel.context, cluster_id, "web").shape == PoolShape(
        "defaultdb", None, PoolMode.TRANSACTION, 8
    )
    assert "Pool web has been changed." in browser.get(where).text


def test_a_plan_that_somebody_overtook_is_not_applied(panel: Panel, cluster_id: UUID) -> None:
    path = add_web(panel, cluster_id)
    browser = panel.browse_as(READ, UPDATE)
    page = browser.get(f"{path}/edit?db=defaultdb&user=doadmin&mode=transaction&size=8").text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    other = PoolShape("defaultdb", "doadmin", PoolMode.SESSION, 5)
    update_pool(panel.context, "somebody", cluster_id, "web", other)
    answer = browser.send(f"{path}/edit", {k: v for k, v in hidden.items() if k != "csrf"})
    assert answer.status_code == 422
    assert "changed by somebody else meanwhile" in answer.text
    assert get_pool(panel.context, cluster_id, "web").shape == other
    # The new plan is the one of what the pool is now: it can be applied.
    assert 'Mode: <span class="before">session</span>' in answer.text
    again = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text))
    answer = browser.send(f"{path}/edit", {k: v for k, v in again.items() if k != "csrf"})
    assert answer.status_code == 303
    assert get_pool(panel.context, cluster_id, "web").shape.size == 8


def test_a_change_that_is_overtaken_while_it_waits_is_not_applied(
    panel: Panel, cluster_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = add_web(panel, cluster_id)
    browser = panel.browse_as(READ, UPDATE)
    page = browser.get(f"{path}/edit?db=defaultdb&user=doadmin&mode=transaction&size=8").text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    other = PoolShape("defaultdb", "doadmin", PoolMode.SESSION, 5)

    def wait(*_: object) -> None:
        monkeypatch.undo()
        update_pool(panel.context, "somebody", cluster_id, "web", other)

    monkeypatch.setattr(pools, "await_online", wait)
    answer = browser.send(f"{path}/edit", {k: v for k, v in hidden.items() if k != "csrf"})
    assert answer.status_code == 422
    assert "changed by somebody else meanwhile" in answer.text
    assert 'Mode: <span class="before">session</span>' in answer.text
    assert get_pool(panel.context, cluster_id, "web").shape == other


def test_deleting_tells_what_happens_and_asks_for_the_name(panel: Panel, cluster_id: UUID) -> None:
    object.__setattr__(panel.context, "grace", timedelta(seconds=10))
    path = add_web(panel, cluster_id)
    panel.context.observations.put_loads(cluster_id, {"web": PoolLoad(7, 2, 3, 1, 0.0)})
    browser = panel.browse_as(READ, DELETE)
    page = browser.get(f"{path}/delete").text
    assert 'data-live="pool.web.clients_active">7</span>' in page
    assert "have 10 s to finish" in page
    assert "Its 5 backend connections are free after that" in page
    answer = browser.send(f"{path}/delete", {"confirm": "wep"})
    assert answer.status_code == 422
    assert "type web to delete it" in read_error(answer.text, "confirm")
    assert 'value="wep"' in answer.text
    assert len(list_pools(panel.context, cluster_id)) == 1
    answer = browser.send(f"{path}/delete", {"confirm": " web "})
    assert answer.status_code == 303
    assert list_pools(panel.context, cluster_id) == []
    assert browser.send(f"{path}/delete", {"confirm": "web"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "scope"),
    [("new-pool", CREATE), ("pools/web/edit", UPDATE), ("pools/web/delete", DELETE)],
)
def test_each_form_needs_its_scope(panel: Panel, cluster_id: UUID, path: str, scope: str) -> None:
    add_web(panel, cluster_id)
    others = {READ, CREATE, UPDATE, DELETE} - {scope}
    browser = panel.browse_as(*sorted(others))
    page = f"/databases/{cluster_id}/{path}"
    assert browser.get(page).status_code == 403
    browser.get("/databases")
    assert browser.send(page, NEW | {"confirm": "web"}).status_code == 403
    assert [pool.shape for pool in list_pools(panel.context, cluster_id)] == [SHAPE]


@pytest.mark.parametrize("path", ["edit", "delete", "connect"])
def test_a_pool_that_is_not_there(panel: Panel, cluster_id: UUID, path: str) -> None:
    browser = panel.browse_as(ADMIN)
    assert browser.get(f"/databases/{cluster_id}/pools/nothing/{path}").status_code == 404
