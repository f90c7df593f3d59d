"""The first pages: the list, creating a cluster, its overview, tokens, themes, errors."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.status import ClusterState, Phase, PoolLoad
from poolkeeper.domain.tokens import ADMIN, CREATE, READ
from poolkeeper.store import status
from poolkeeper.usecases.clusters import delete_cluster, list_clusters
from poolkeeper.usecases.pools import create_pool
from poolkeeper.usecases.tokens import authenticate, list_tokens
from tests.panel.browsing import Panel

CLUSTER = {"name": "orders", "version": "15", "size": "db-s-1vcpu-2gb", "region": "fra1"}
SHAPE = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 10)


def test_an_empty_list_says_what_to_do(panel: Panel) -> None:
    assert "Create a database cluster" in panel.browse_as(ADMIN).get("/databases").text
    assert "may not create one" in panel.browse_as(READ).get("/databases").text


def test_the_list_has_every_cluster_with_what_its_pools_hold(panel: Panel) -> None:
    cluster_id = panel.create_cluster("alpha")
    panel.create_cluster("beta")
    create_pool(panel.context, "test", cluster_id, "web", SHAPE)
    panel.context.observations.put_loads(cluster_id, {"web": PoolLoad(7, 1, 3, 2, 0.5)})
    page = panel.browse_as(READ).get("/databases").text
    assert page.index("alpha") < page.index("beta")
    assert f'data-live="cluster.{cluster_id}.backends">5</span> / 22' in page
    assert f'data-live="cluster.{cluster_id}.clients_active">7</span>' in page
    assert "10 of 22 held by pools" in page
    assert page.count('class="badge good"') == 2


def test_a_cluster_is_created_by_a_plain_form(panel: Panel) -> None:
    browser = panel.browse_as(READ, CREATE)
    page = browser.get("/databases/new").text
    assert "1 vCPU, 1 GiB – 22 connections for pools" in page
    assert '<option value="17" selected>' in page
    answer = browser.send("/databases/new", CLUSTER)
    [view] = list_clusters(panel.context)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/databases/{view.cluster.id}",
    )
    cluster = view.cluster
    assert (cluster.name, cluster.version, cluster.region) == ("orders", "15", "fra1")
    assert cluster.size.slug == "db-s-1vcpu-2gb"


def test_htmx_is_told_where_to_go(panel: Panel) -> None:
    browser = panel.browse_as(ADMIN)
    answer = browser.send("/databases/new", CLUSTER, hx_request="true")
    [view] = list_clusters(panel.context)
    assert answer.status_code == 204
    assert answer.headers["hx-redirect"] == f"/databases/{view.cluster.id}"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "3 to 63 characters"),
        ("name", "Bad Name", "3 to 63 characters"),
        ("name", "main", "cluster name is not available"),
        ("version", "9", "is not installed on this host"),
        ("size", "huge", "it is a slug such as"),
        ("region", "moon1", "is not valid"),
    ],
)
@pytest.mark.parametrize("htmx", [{}, {"hx_request": "true"}])
def test_an_error_stands_beside_its_field_and_nothing_typed_is_lost(
    panel: Panel, field: str, value: str, says: str, htmx: dict[str, str]
) -> None:
    panel.create_cluster("main")
    browser = panel.browse_as(ADMIN)
    answer = browser.send("/databases/new", CLUSTER | {field: value}, **htmx)
    assert answer.status_code == 422
    error = re.search(rf'<p class="error" id="error-{field}">([^<]*)</p>', answer.text)
    assert error and says in error[1]
    assert answer.text.count('aria-invalid="true"') == 1
    control = re.search(rf'id="field-{field}"[^>]*', answer.text)
    assert control and f"error-{field}" in control[0]
    typed = CLUSTER | {field: value}
    assert f'value="{typed["name"]}"' in answer.text
    if field != "size":
        assert '<option value="db-s-1vcpu-2gb" selected>' in answer.text
    assert len(list_clusters(panel.context)) == 1


def test_creation_is_shown_step_by_step(panel: Panel) -> None:
    panel.reconciler.silent = True
    browser = panel.browse_as(ADMIN)
    path = browser.send("/databases/new", CLUSTER).headers["location"]
    cluster_id = list_clusters(panel.context)[0].cluster.id
    assert "Being created" in browser.get(path).text
    with panel.context.store.write() as tx:
        step = "starting PostgreSQL"
        state = ClusterState(cluster_id, Phase.CREATING, step, tx.now, step=step)
        status.write_cluster_state(tx, state)
    page = browser.get(path).text
    assert len(re.findall(r'<li class="done"', page)) == 2
    assert re.search(r'<li class="now" aria-current="step">Start PostgreSQL', page)
    assert "Start PostgreSQL" in browser.get("/databases").text
    panel.reconciler.apply(cluster_id)
    assert "Being created" not in browser.get(path).text


def test_the_overview_tells_why_something_is_wrong(panel: Panel) -> None:
    panel.reconciler.silent = True
    cluster_id = panel.create_cluster()
    with panel.context.store.write() as tx:
        why = "PostgreSQL: could not bind <port>"
        state = ClusterState(cluster_id, Phase.PARKED, why, tx.now, was_online=True)
        status.write_cluster_state(tx, state)
    page = panel.browse_as(READ).get(f"/databases/{cluster_id}").text
    assert '<span class="badge bad">Down</span>' in page
    assert "could not bind &lt;port&gt;" in page


def test_the_overview_tells_how_to_connect(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    path = f"/databases/{cluster_id}"
    page = panel.browse_as(READ, CREATE).get(path).text
    assert "There is no pool yet" in page and "Create a pool" in page
    assert "<dt>Host</dt><dd>db.example</dd>" in page and "<dt>Port</dt><dd>25060</dd>" in page
    theirs = panel.browse_as(READ).get(path).text
    assert "Your token may not create one" in theirs and "Create a pool" not in theirs
    create_pool(panel.context, "test", cluster_id, "web", SHAPE)
    page = panel.browse_as(READ, CREATE).get(path).text
    assert "There is no pool yet" not in page
    assert f'<a href="{path}/pools/web/connect">web</a>' in page


TABS = ("", "/pools", "/users", "/trusted-sources", "/settings", "/events", "/new-pool")


@pytest.mark.parametrize("tab", TABS)
def test_every_page_of_a_cluster_that_is_down_tells_why(panel: Panel, tab: str) -> None:
    cluster_id = panel.create_cluster()
    panel.reconciler.silent = True
    browser = panel.browse_as(ADMIN)
    path = f"/databases/{cluster_id}{tab}"
    assert "in the way" not in browser.get(path).text
    with panel.context.store.write() as tx:
        why = "a cat is in the way"
        state = ClusterState(cluster_id, Phase.PARKED, why, tx.now, was_online=True)
        status.write_cluster_state(tx, state)
    page = browser.get(path).text
    assert why in page
    assert ("What you send waits for the cluster, 10 s at most" in page) is (tab == "/new-pool")


def test_the_overview_tells_who_holds_the_connections(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    create_pool(panel.context, "test", cluster_id, "web", SHAPE)
    page = panel.browse_as(READ).get(f"/databases/{cluster_id}").text
    assert "10 of 22 held by pools, 12 free" in page
    assert "<title>web: 10</title>" in page
    assert "Pool <b>web</b>: created: transaction mode, size 10, defaultdb as doadmin" in page
    assert f'data-stream="/live?cluster={cluster_id}&amp;pool=web"' in page


@pytest.mark.parametrize(
    "path", ["/nothing", "/databases/x", "/databases/6f1c2b1e-0d2c-4c39-9c4f-3a7c9b0f5e21", "/v3"]
)
def test_what_is_not_there(panel: Panel, path: str) -> None:
    browser = panel.browse_as(ADMIN)
    answer = browser.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is no such thing" in answer.text
    toast = browser.get(path, hx_request="true")
    assert (toast.status_code, toast.headers["hx-retarget"]) == (404, "#toasts")
    assert "<html" not in toast.text


def test_a_deleted_cluster_is_gone(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    delete_cluster(panel.context, "test", cluster_id)
    assert panel.browse_as(READ).get(f"/databases/{cluster_id}").status_code == 404


def test_a_fault_of_ours_is_a_page_with_the_request_id(
    panel: Panel, log: list[dict[str, object]]
) -> None:
    browser = panel.browse_as(ADMIN)

    def break_down() -> list[str]:
        raise RuntimeError("broken")

    context = panel.app.state.context
    object.__setattr__(context, "majors", break_down)
    answer = browser.get("/databases/new")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert "broken" not in answer.text
    [fault] = [entry for entry in log if entry["event"] == "fault"]
    assert fault["request_id"] == answer.headers["x-request-id"]


def test_a_token_is_shown_once_and_works(panel: Panel) -> None:
    browser = panel.browse_as(ADMIN)
    fields = {"name": "ci", "scopes": [READ, CREATE], "expires": "86400"}
    answer = browser.send("/tokens", fields)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    shown = re.search(r'<code id="new-token-value"[^>]*>([0-9a-f]{64})</code>', answer.text)
    assert shown
    token = authenticate(panel.context, shown[1])
    assert (token.name, sorted(token.scopes)) == ("ci", [CREATE, READ])
    assert token.expires_at == token.created_at + timedelta(days=1)
    assert shown[1] not in browser.get("/tokens").text


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"name": "", "scopes": READ, "expires": ""}, "name", "1 to 100 printable characters"),
        ({"name": "ci", "expires": ""}, "scopes", "give at least one"),
        ({"name": "ci", "scopes": "x", "expires": ""}, "scopes", "unknown: &#39;x&#39;"),
        ({"name": "ci", "scopes": READ, "expires": "-5"}, "expires", "choose one of those"),
    ],
)
def test_a_token_that_cannot_be(
    panel: Panel, fields: dict[str, str], field: str, says: str
) -> None:
    browser = panel.browse_as(ADMIN)
    before = len(list_tokens(panel.context))
    answer = browser.send("/tokens", fields)
    assert answer.status_code == 422
    error = re.search(rf'<p class="error" id="error-{field}">([^<]*)</p>', answer.text)
    assert error and says in error[1]
    assert len(list_tokens(panel.context)) == before


def test_a_token_is_revoked_and_its_session_ends(panel: Panel) -> None:
    value = panel.issue_token(READ, name="ci")
    theirs = panel.browse()
    theirs.sign_in(value)
    browser = panel.browse_as(ADMIN)
    browser.get("/tokens")
    answer = browser.send(f"/tokens/{value[:16]}/revoke")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tokens")
    assert "The token has been revoked." in browser.get("/tokens").text
    assert "The token has been revoked." not in browser.get("/tokens").text
    assert theirs.get("/databases").status_code == 303
    assert browser.send(f"/tokens/{value[:16]}/revoke").status_code == 404


def test_the_last_administrator_stays(panel: Panel) -> None:
    browser = panel.browse_as(ADMIN)
    [token] = list_tokens(panel.context)
    answer = browser.send(f"/tokens/{token.id}/revoke")
    assert answer.status_code == 422
    assert "the last lasting admin token cannot be revoked" in answer.text
    assert list_tokens(panel.context) == [token]
    # That page is loaded again by parts, and anew by its reader, as any other.
    again = re.search(r'id="token-list"[^>]* hx-get="([^"]*)"', answer.text)
    assert again and 'id="token-list"' in browser.get(again[1]).text


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_the_theme_is_remembered(panel: Panel, theme: str) -> None:
    browser = panel.browse_as(READ)
    answer = browser.send("/theme", {"theme": theme, "next": "/events?x=1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/events?x=1")
    assert f'<html lang="en" data-theme="{theme}">' in browser.get("/events").text
    assert browser.send("/theme", {"theme": "pink", "next": "/"}).status_code == 422


def test_a_slash_too_many_is_forgiven(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    answer = browser.get("/databases/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/databases")
    assert browser.get("/").headers["location"] == "/databases"
    astray = browser.get("//evil.example//").headers.get("location", "/")
    assert astray.startswith("/") and not astray.startswith("//")


def test_the_list_is_sorted_by_its_address(panel: Panel) -> None:
    for name in ("beta", "alpha", "gamma"):
        panel.create_cluster(name)
        panel.clock.advance(minutes=1)
    browser = panel.browse_as(READ)

    def list_names(query: str) -> list[str]:
        page = browser.get(f"/databases{query}").text
        return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', page)

    assert list_names("") == ["beta", "alpha", "gamma"]
    assert list_names("?sort=name") == ["alpha", "beta", "gamma"]
    assert list_names("?sort=name&order=desc") == ["gamma", "beta", "alpha"]
    assert list_names("?sort=nonsense") == ["beta", "alpha", "gamma"]
    assert '<option value="name" selected>' in browser.get("/databases?sort=name").text
