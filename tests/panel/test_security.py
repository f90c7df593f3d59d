"""What keeps other sites, and scripts that nobody wrote, out of the panel."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from html.parser import HTMLParser
from typing import Any, NoReturn

import pytest
from starlette.routing import Route

from poolkeeper.domain.tokens import ADMIN, CREATE, DELETE, READ, UPDATE, VIEW_CREDENTIALS
from poolkeeper.panel.pages import databases
from poolkeeper.panel.routing import MAX_FORM_BYTES
from poolkeeper.usecases.clusters import list_clusters
from poolkeeper.usecases.tokens import create_token, list_tokens
from tests.panel.browsing import Browser, Panel

CLUSTER = {"name": "orders", "version": "15", "size": "db-s-1vcpu-1gb", "region": "nyc1"}
PAGES = ("/databases", "/databases/new", "/tokens", "/events", "/nothing", "/databases/{id}")


class Reader(HTMLParser):
    """Finds what no page of ours may have: scripts and styles in it, addresses elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if (tag == "script" and not given.get("src")) or tag in ("style", "iframe", "object"):
            self.found.append(tag)
        for name, value in given.items():
            goes = (value or "").strip().lower()
            leads = name in ("src", "href", "action", "formaction", "hx-get", "hx-post")
            if leads and (not goes.startswith(("/", "#")) or goes.startswith("//")):
                self.found.append(f"{tag} {name}={value}")
            if name.startswith(("on", "hx-on")) or name == "style":
                self.found.append(f"{tag} {name}")


def list_names(panel: Panel) -> list[str]:
    return [view.cluster.name for view in list_clusters(panel.context)]


def open_all(panel: Panel, browser: Browser, paths: Sequence[str] = PAGES) -> list[str]:
    cluster_id = panel.create_cluster()
    return [browser.get(path.format(id=cluster_id)).text for path in paths]


def test_every_answer_bears_the_headers(panel: Panel) -> None:
    browser = panel.browse_as(ADMIN)
    cluster_id = panel.create_cluster()
    style = re.search(r'href="(/static/[^"]+panel\.css)"', browser.page)
    assert style
    paths = [*PAGES, style[1], "/live/ping", "/sign-in?link=x"]
    for path in paths:
        headers = browser.get(path.format(id=cluster_id)).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        for rule in ("default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"):
            assert rule in policy, path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "cache-control" in headers


@pytest.mark.parametrize("broken", ["page", "renderer"])
def test_a_fault_of_ours_tells_where_to_find_it_and_nothing_else(
    panel: Panel, log: list[MutableMapping[str, Any]], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: object) -> NoReturn:
        raise RuntimeError("in full detail")

    browser = panel.browse_as(ADMIN)
    if broken == "page":
        monkeypatch.setattr(databases, "list_summaries", fail)
    else:
        monkeypatch.setattr(panel.app.state.renderer, "render", fail)
    answer = browser.get("/databases")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "in full detail" not in answer.text
    request_id = answer.headers["x-request-id"]
    assert request_id in answer.text
    assert request_id in [each["request_id"] for each in log if each["event"] == "fault"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "cache-control" in answer.headers


def test_no_page_has_scripts_or_styles_in_it_or_takes_any_from_elsewhere(panel: Panel) -> None:
    browser = panel.browse_as(ADMIN)
    for page in [*open_all(panel, browser), panel.browse().get("/sign-in").text]:
        assert Reader(page).found == []


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "' x='"]
)
def test_what_people_typed_is_shown_as_they_typed_it(panel: Panel, text: str) -> None:
    create_token(panel.context, text, text, [READ])
    browser = panel.browse_as(ADMIN)
    for path in ("/tokens", "/events"):
        page = browser.get(path).text
        assert text not in page or text == "{{ 7*7 }}"
        assert Reader(page).found == []
    answer = browser.send("/tokens", {"name": text + "\n", "scopes": "x"})
    assert answer.status_code == 422
    assert text not in answer.text or text == "{{ 7*7 }}"
    browser.get("/databases/new")
    assert text not in browser.send("/databases/new", CLUSTER | {"name": text}).text or "{" in text
    assert text not in browser.get(f"/{text}").text or "{" in text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
    ],
)
def test_a_form_of_another_site_is_refused(panel: Panel, headers: dict[str, str]) -> None:
    browser = panel.browse_as(ADMIN)
    browser.get("/databases/new")
    answer = browser.send("/databases/new", CLUSTER, **headers)
    assert answer.status_code == 403
    assert "nothing was" in answer.text
    assert list_names(panel) == []


def test_an_old_browser_is_known_by_its_origin(panel: Panel) -> None:
    browser = panel.browse_as(ADMIN)
    browser.get("/databases/new")
    token = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', browser.page)[0]}
    elsewhere = ("https://evil.example", "null", "http://[")
    for origin, status in (*((each, 403) for each in elsewhere), (panel.url, 303)):
        headers = {"origin": origin, "cookie": _cookie(browser)}
        answer = browser.client.post("/databases/new", data=CLUSTER | token, headers=headers)
        assert answer.status_code == status, origin
    assert list_names(panel) == ["orders"]


@pytest.mark.parametrize("token", ["", "x", "x.y", "é.é", "0" * 16 + "." + "0" * 64])
def test_a_form_without_its_token_is_refused(panel: Panel, token: str) -> None:
    browser = panel.browse_as(ADMIN)
    answer = browser.send("/databases/new", CLUSTER | {"csrf": token})
    assert answer.status_code == 403
    assert list_names(panel) == []


def test_the_token_of_somebody_else_is_refused(panel: Panel) -> None:
    mine, theirs = panel.browse_as(ADMIN), panel.browse_as(ADMIN)
    theirs.page = mine.page
    assert theirs.send("/databases/new", CLUSTER).status_code == 403
    stranger = panel.browse()
    stranger.get("/sign-in")
    stranger.page = mine.page
    assert stranger.send("/sign-in", {"token": panel.issue_token(READ)}).status_code == 403


def test_every_form_that_changes_something_asks_for_its_token(panel: Panel) -> None:
    browser = panel.browse_as(ADMIN)
    paths = [
        route.path
        for route in panel.app.routes
        if isinstance(route, Route)
        and "POST" in (route.methods or ())
        and "{path:path}" not in route.path
    ]
    assert len(paths) >= 5
    for path in paths:
        concrete = re.sub(r"\{[^}]*\}", "x", path)
        assert browser.send(concrete, {"csrf": ""}).status_code == 403, path
    assert browser.is_signed_in()


def test_a_token_differs_each_time_so_that_compression_tells_nothing(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    tokens = {
        re.findall(r'name="csrf" value="([^"]+)"', browser.get("/events").text)[0] for _ in range(3)
    }
    assert len(tokens) == 3


def test_a_form_that_is_too_large_is_refused(panel: Panel) -> None:
    browser = panel.browse_as(ADMIN)
    answer = browser.send("/databases/new", CLUSTER | {"name": "x" * (MAX_FORM_BYTES + 1)})
    assert answer.status_code == 413
    many = browser.send("/databases/new", {f"f{number}": "x" for number in range(600)})
    assert many.status_code == 422


def test_a_form_that_cannot_be_read_is_refused(panel: Panel) -> None:
    browser = panel.browse_as(ADMIN)
    assert browser.send("/databases/new", CLUSTER | {"name": "a\0b"}).status_code == 422
    headers = {"cookie": _cookie(browser), "sec-fetch-site": "same-origin"}
    answer = browser.client.post("/databases/new", content=b"name=%ff\xff", headers=headers)
    assert answer.status_code == 422
    assert list_names(panel) == []


@pytest.mark.parametrize(
    ("scopes", "path", "status"),
    [
        ((READ,), "/databases", 200),
        ((READ,), "/databases/new", 403),
        ((READ, CREATE), "/databases/new", 200),
        ((CREATE,), "/databases", 403),
        ((READ, CREATE), "/tokens", 403),
        ((ADMIN,), "/tokens", 200),
        ((READ,), "/events", 200),
        ((CREATE,), "/live/ping", 403),
    ],
)
def test_scopes_rule_what_may_be_seen(
    panel: Panel, scopes: tuple[str, ...], path: str, status: int
) -> None:
    assert panel.browse_as(*scopes).get(path).status_code == status


@pytest.mark.parametrize("path", ["new-pool", "users", "settings", "trusted-sources"])
def test_who_may_not_read_sees_nothing_of_a_cluster_in_its_forms_either(
    panel: Panel, path: str
) -> None:
    cluster_id = panel.create_cluster()
    browser = panel.browse_as(CREATE, UPDATE, DELETE, VIEW_CREDENTIALS)
    answer = browser.send(f"/databases/{cluster_id}/{path}", {"user": "not a name"})
    assert answer.status_code == 403
    assert "lacks the scope &#39;database:read&#39;" in answer.text
    assert "doadmin" not in answer.text


def test_scopes_rule_what_is_offered_and_done(panel: Panel) -> None:
    panel.create_cluster()
    reader = panel.browse_as(READ)
    page = reader.get("/databases").text
    assert "/databases/new" not in page and 'href="/tokens"' not in page
    before = len(list_tokens(panel.context))
    answer = reader.send("/tokens", {"name": "mine", "scopes": ADMIN})
    assert answer.status_code == 403
    assert "lacks the scope &#39;admin&#39;. Sign in with one that has it" in answer.text
    assert reader.send("/databases/new", CLUSTER).status_code == 403
    assert len(list_tokens(panel.context)) == before
    assert list_names(panel) == ["main"]


def test_files_are_kept_for_ever_under_names_that_change(panel: Panel) -> None:
    browser = panel.browse()
    page = browser.get("/sign-in").text
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert any("htmx" in name for name in files), "run scripts/build-panel"
    for name in files:
        answer = browser.get(name)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        old = re.sub(r"/static/[0-9a-f]+/", "/static/0000000000000000/", name)
        assert browser.get(old).status_code == 404
    for path in ("/static/x/../../app.py", "/static/%2e%2e/app.py", "/static/"):
        assert browser.get(path).status_code in (303, 404)


def test_text_is_sent_compressed(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    assert browser.get("/databases").headers["content-encoding"] == "gzip"
    plain = browser.get("/databases", accept_encoding="identity")
    assert "content-encoding" not in plain.headers
    total = sum(
        int(browser.get(name).headers["content-length"])
        for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', plain.text)
    )
    assert total < 100_000


def test_the_log_has_no_secret(panel: Panel, log: list[dict[str, object]]) -> None:
    token = panel.issue_token(READ)
    browser = panel.browse()
    browser.sign_in(token)
    browser.get("/sign-in?link=abcdef")
    assert len(log) >= 3
    for secret in (token, "abcdef", *browser.cookies.values()):
        assert secret not in str(log)


def _cookie(browser: Browser) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
