"""The pages of events: what they say, finding, turning, and that they stay quick."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from sqlalchemy import Connection, event, insert

from poolkeeper.domain.autoscale import parse_autoscale
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.maintenance import parse_window
from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.tokens import ADMIN, CREATE, READ
from poolkeeper.store import clusters, events, schema
from poolkeeper.usecases import cluster_settings, maintenance, tags, tokens
from poolkeeper.usecases.events import MOST_SEARCHED
from poolkeeper.usecases.pools import create_pool, delete_pool, update_pool
from poolkeeper.usecases.users import create_user, update_user
from tests.panel.browsing import Browser, Panel
from tests.plane import wait_until

SHAPE = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 5)
ROW = re.compile(r"<tr>\s*<td data-label=\"When\".*?</tr>", re.DOTALL)
# A machine may be so slow that it is no matter of milliseconds.
TOOK = re.compile(r"\d+(\.\d+)? m?s$")
EVIL = '"><script>alert(1)</script>'


def read_rows(browser: Browser, address: str) -> list[str]:
    """What each row says, without its moment."""
    answer = browser.get(address)
    assert answer.status_code == 200
    cells = (re.findall(r"<td.*?</td>", row, re.DOTALL)[1:] for row in ROW.findall(answer.text))
    texts = (" | ".join(re.sub(r"<[^>]*>", "", cell) for cell in row) for row in cells)
    return [html.unescape(" ".join(text.split())) for text in texts]


def record(panel: Panel, *entries: Event) -> None:
    with panel.context.store.write() as tx:
        for entry in entries:
            events.add_event(tx, entry)


def fill(panel: Panel, count: int, cluster_id: UUID | None = None) -> None:
    """So many entries of ordinary length, for which a store would need years."""
    detail = {"db": "defaultdb", "user": "doadmin", "mode": "transaction", "size": 5}
    with panel.context.store.write() as tx:
        for first in range(0, count, 10_000):
            rows = [
                {
                    "at": tx.now - timedelta(minutes=count - number),
                    "kind": EventKind.POOL_UPDATE.value,
                    "actor": "ci",
                    "subject": f"pool-{number}",
                    "cluster_id": cluster_id,
                    "cluster_name": "main" if cluster_id else None,
                    "detail": detail | {"before": detail},
                }
                for number in range(first, min(first + 10_000, count))
            ]
            tx.connection.execute(insert(schema.events), rows)


def find_link(page: str, text: str) -> str:
    found = re.search(rf'href="([^"]*)"[^>]*>{text}</a>', page)
    assert found is not None, text
    return html.unescape(found[1])


def test_who_changed_what_from_what_to_what(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    context, changed = panel.context, PoolShape("defaultdb", None, PoolMode.SESSION, 8)
    create_pool(context, "ci", cluster_id, "web", SHAPE)
    update_pool(context, "anna", cluster_id, "web", changed)
    delete_pool(context, "ci", cluster_id, "web")
    create_user(context, "ci", cluster_id, "app")
    update_user(context, "ci", cluster_id, "app", allow_replication=True)
    cluster_settings.update_autoscale(context, "ci", cluster_id, parse_autoscale(True, 80, 20))
    cluster_settings.update_service_names(context, "ci", cluster_id, ("db.example.org",))
    maintenance.set_window(context, "ci", cluster_id, parse_window("monday", "05:30"))
    browser = panel.browse_as(READ)

    def read_times() -> list[str]:
        rows = read_rows(browser, f"/databases/{cluster_id}/events")
        return rows if sum(bool(TOOK.search(row)) for row in rows) == 6 else []

    rows = wait_until("it is written down how long each took", read_times)
    told = [TOOK.sub("… ms", row) for row in rows]
    assert told == [
        "Maintenance window: from Monday 05:30 UTC on, for 4 hours (before: Sunday 03:00) | ci | –",
        "Certificate: valid for db.example.org, too"
        " (before: without names of your own) | ci | … ms",
        "Storage: grows by 20 GiB when 80 % are used, kept as a note"
        " (before: does not grow by itself) | ci | –",
        "User app: may replicate | ci | … ms",
        "User app: created | ci | … ms",
        "Pool web: deleted, new logins are refused; it was in session mode, size 8,"
        " defaultdb as the connecting user | ci | … ms",
        "Pool web: user doadmin → the connecting user, mode transaction → session,"
        " size 5 → 8 | anna | … ms",
        "Pool web: created: transaction mode, size 5, defaultdb as doadmin | ci | … ms",
        "Cluster main: created: PostgreSQL 15, db-s-1vcpu-1gb | test | –",
    ]


def test_all_clusters_and_what_concerns_none(panel: Panel) -> None:
    one, other = panel.create_cluster("one"), panel.create_cluster("other")
    create_pool(panel.context, "ci", one, "web", SHAPE)
    tags.create_tag(panel.context, "ci", "prod")
    tags.tag_clusters(panel.context, "ci", "prod", [other])
    panel.issue_token(ADMIN)
    token, _ = tokens.create_token(panel.context, "boss", "deploy", [CREATE], 3600)
    tokens.delete_token(panel.context, "boss", token.id)
    browser = panel.browse_as(READ)
    rows = read_rows(browser, "/events")
    assert rows[0].startswith(f"Token {READ}: signed in to the panel | – | {READ} | –")
    assert rows[1] == "Token deploy: revoked | – | boss | –"
    assert rows[2].startswith(f"Token deploy: created, may {CREATE}, until 2026-11-01T")
    assert rows[3:5] == [
        "Tag prod: given to the cluster | other | ci | –",
        "Tag prod: created | – | ci | –",
    ]
    assert rows[5].startswith("Pool web: created") and " | one | ci | " in rows[5]
    assert len(rows) == 8
    page = browser.page
    assert f'<option value="{one}">one</option>' in page
    assert f'<a href="/events?cluster={other}">other</a>' in page
    assert 'datetime="2026-11-01T10:00:00Z"' in page and "2026-11-01 10:00:00" in page
    assert len(read_rows(browser, f"/events?cluster={one}")) == 2
    assert len(read_rows(browser, f"/databases/{other}/events")) == 2


def test_what_is_looked_for_stands_in_the_address(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    create_pool(panel.context, "ci", cluster_id, "web", SHAPE)
    create_pool(panel.context, "anna", cluster_id, "jobs", SHAPE)
    create_user(panel.context, "anna", cluster_id, "web_user")
    browser = panel.browse_as(READ)
    for path in ("/events", f"/databases/{cluster_id}/events"):

        def find(query: str, path: str = path) -> list[str]:
            return [row.partition(":")[0] for row in read_rows(browser, f"{path}?{query}")]

        assert find("kind=pools") == ["Pool jobs", "Pool web"]
        assert find("q=WEB") == ["User web_user", "Pool web"]
        assert find("q=web&kind=users") == ["User web_user"]
        assert find("by=ANN") == ["User web_user", "Pool jobs"]
        assert find("by=anna&kind=pools&q=transaction") == ["Pool jobs"]
        assert 'value="anna"' in browser.page and 'value="pools" selected' in browser.page
        assert find("q=%25") == find("q=web%00") == []
        assert "Nothing found" in browser.page
        # What cannot be is as if it was not said.
        everything = find("")
        nonsense = "kind=cats&before=x"
        assert find(nonsense) == find(f"before={'9' * 18}") == find("before=-1") == everything


def test_a_cluster_that_is_gone_is_still_found(panel: Panel) -> None:
    cluster_id = panel.create_cluster("old")
    with panel.context.store.write() as tx:
        gone = Event(EventKind.CLUSTER_REMOVED, "reconciler", "old", cluster_id)
        events.add_event(tx, gone)
        clusters.remove_cluster(tx, cluster_id)
    browser = panel.browse_as(READ)
    rows = read_rows(browser, f"/events?cluster={cluster_id}")
    assert [row.partition(" | ")[2] for row in rows] == ["old | reconciler | –", "old | test | –"]
    assert f'<option value="{cluster_id}" selected>old</option>' in browser.page
    assert browser.get(f"/databases/{cluster_id}/events").status_code == 404


def test_pages_are_turned_by_their_addresses(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    fill(panel, 120, cluster_id)
    browser = panel.browse_as(READ)
    for path in ("/events", f"/databases/{cluster_id}/events"):
        address, seen, pages = f"{path}?by=ci&q=pool-", list[str](), 0
        while True:
            seen += [row.partition(":")[0] for row in read_rows(browser, address)]
            pages += 1
            # A new entry shifts nothing that is older.
            fill(panel, 1)
            if ">Older</a>" not in browser.page:
                break
            address = path + find_link(browser.page, "Older").removeprefix(path)
        assert seen[-120:] == [f"Pool pool-{number}" for number in reversed(range(120))]
        assert pages == 3
        newest = find_link(browser.page, "Newest")
        assert newest == f"{path}?q=pool-&by=ci"


def test_nothing_has_happened(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    with panel.context.store.write() as tx:
        tx.connection.execute(schema.events.delete())
    answer = browser.get("/events")
    assert "Nothing has happened yet" in answer.text and ">Older</a>" not in answer.text
    assert read_rows(browser, "/events?before=1") == []
    assert find_link(browser.page, "Newest") == "/events?"


def test_among_very_many_the_newest_are_looked_through(panel: Panel) -> None:
    record(panel, Event(EventKind.TOKEN_CREATE, "needle", "ci"))
    fill(panel, MOST_SEARCHED + 20)
    browser = panel.browse_as(READ)
    assert read_rows(browser, "/events?by=needle") == []
    assert "Nothing found yet" in browser.page
    assert f"Looked through {MOST_SEARCHED:,} entries" in browser.page
    further = find_link(browser.page, "Look further back")
    assert read_rows(browser, further) == ["Token ci: created | – | needle | –"]
    assert "Look further back" not in browser.page


def test_old_entries_cost_nothing(panel: Panel) -> None:
    """Pages cost what they show; where one looks through entries, how many is bounded."""
    cluster_id = panel.create_cluster()
    browser = panel.browse_as(READ)
    path = f"/databases/{cluster_id}/events"
    wide = ["/events", "/events?before=60", f"/events?cluster={cluster_id}", path]
    narrow = ["/events?q=nothing", "/events?by=nobody&kind=tags", f"{path}?q=nothing"]
    fill(panel, 2 * MOST_SEARCHED, cluster_id)
    few = {query: _count_steps(panel, browser, query) for query in (*wide, *narrow)}
    fill(panel, 2 * MOST_SEARCHED, cluster_id)
    many = {query: _count_steps(panel, browser, query) for query in (*wide, *narrow)}
    for query in wide:
        assert 0 < many[query] < 10_000, query
    for query in narrow:
        assert 10_000 < many[query] < few[query] * 1.2, query


def _count_steps(panel: Panel, browser: Browser, address: str) -> int:
    """How many instructions of its machine SQLite needs for a page."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 100
        return 0

    def prepare(connection: Connection, cursor: Any, *_: object) -> None:
        cursor.connection.set_progress_handler(step, 100)

    engine = panel.context.store._engines.reader
    event.listen(engine, "before_cursor_execute", prepare)
    try:
        assert browser.get(address).status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", prepare)
    with engine.connect() as connection:
        assert connection.connection.dbapi_connection is not None
        connection.connection.dbapi_connection.set_progress_handler(None, 0)
    return steps


def test_names_are_words_only(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    evil = Event(EventKind.CHANGE_WITHDRAWN, EVIL, f"pool:{EVIL}", cluster_id, {"reason": EVIL})
    record(panel, evil)
    browser = panel.browse_as(READ)
    for path in ("/events", f"/databases/{cluster_id}/events", f"/databases/{cluster_id}"):
        page = browser.get(path).text
        assert "<script>alert" not in page and page.count(html.escape("<script>alert(1)")) >= 3
    page = browser.get(f"/events?q={quote(EVIL)}&by={quote(EVIL)}&cluster={quote(EVIL)}").text
    assert "<script>alert" not in page and f"?by={quote(EVIL)}" in page.replace("&#34;", '"')


@pytest.mark.parametrize("path", ["/events", "/databases/{id}/events"])
def test_whoever_may_read_nothing_sees_nothing(panel: Panel, path: str) -> None:
    cluster_id = panel.create_cluster()
    address = path.replace("{id}", str(cluster_id))
    assert panel.browse_as(CREATE).get(address).status_code == 403
    answer = panel.browse().get(address)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={address}")
