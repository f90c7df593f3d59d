"""The panel in the hands of somebody who means it ill, or whose browser is broken."""

from __future__ import annotations

import contextlib
from urllib.parse import quote

import pytest

from poolkeeper.domain.tokens import ADMIN, READ
from poolkeeper.panel import cookies
from poolkeeper.panel.live import MOST_OF_A_SESSION
from poolkeeper.usecases.clusters import get_cluster, list_clusters
from poolkeeper.usecases.tokens import list_tokens
from tests.panel.addresses import compose, list_pages, list_routes
from tests.panel.browsing import Browser, Panel

ELSEWHERE = (
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "/databases\r\nset-cookie: x=y",
    "/databases\r\n\r\n<script>",
)
STRANGE = (
    "\0",
    "%00",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "../../../../etc/passwd",
    "-1",
    "0",
    "9" * 40,
    "1e9",
    "NaN",
    "٣",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "\u202e\u200b",
    "x" * 3000,
)
PARAMETERS = ("q", "page", "sort", "order", "span", "user", "db", "size", "mode", "cluster", "next")


def list_all_pages(cluster_id: object) -> list[str]:
    return list_pages(cluster_id, pool="web", user="doadmin", database="defaultdb")


@pytest.mark.parametrize("address", ELSEWHERE)
def test_nobody_is_led_to_another_site(panel: Panel, address: str) -> None:
    browser = panel.browse()
    browser.get(f"/sign-in?next={quote(address)}")
    token = panel.issue_token(READ)
    answer = browser.send("/sign-in", {"token": token, "next": address})
    assert (answer.status_code, answer.headers["location"]) == (303, "/databases")
    assert "x" not in browser.cookies
    browser.get("/databases")
    answer = browser.send("/theme", {"theme": "dark", "next": address})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    answer = browser.get(f"/{quote(address)}/")
    assert answer.headers.get("location", "/").startswith("/")
    assert not answer.headers.get("location", "/").startswith(("//", "/\\"))


def test_a_cookie_that_was_planted_is_never_a_session(panel: Panel) -> None:
    browser, planted = panel.browse(), "a" * 64
    browser.cookies[cookies.SESSION] = planted
    browser.get("/sign-in")
    assert not browser.is_signed_in()
    browser.sign_in(panel.issue_token(READ))
    assert browser.cookies[cookies.SESSION] != planted
    stranger = panel.browse()
    stranger.cookies[cookies.SESSION] = planted
    assert not stranger.is_signed_in()


def test_signing_in_anew_ends_the_session_before(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    before = browser.cookies[cookies.SESSION]
    link = browser.get("/sign-in?link=x")
    assert link.status_code == 200
    browser.send("/sign-in", {"token": panel.issue_token(ADMIN)})
    assert browser.cookies[cookies.SESSION] != before
    old = panel.browse()
    old.cookies[cookies.SESSION] = before
    assert not old.is_signed_in()


def test_a_page_with_a_password_is_kept_by_nobody(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    browser = panel.browse_as(ADMIN)
    passwords = [user.password for user in get_cluster(panel.context, cluster_id).users]
    assert passwords and all(passwords)
    found = 0
    for path in list_all_pages(cluster_id):
        answer = browser.get(path)
        if any(password in answer.text for password in passwords):
            found += 1
            assert answer.headers["cache-control"] == "no-store", path
    assert found >= 1


def test_no_address_brings_a_page_down(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    browser = panel.browse_as(ADMIN)
    paths = [path for path in list_routes() if "{" in path]
    for path in paths:
        for strange in ("%00", "%ff", "..%2f..", "%2e%2e", "a%0d%0ab", "x" * 500, "%F0%9F%98%80"):
            names = {"pool": strange, "user": strange, "database": strange}
            for cluster in (cluster_id, strange):
                assert browser.get(compose(path, cluster, **names)).status_code < 500, path


def test_no_question_brings_a_page_down(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    browser = panel.browse_as(ADMIN)
    for path in list_all_pages(cluster_id):
        for strange in STRANGE:
            query = "&".join(f"{name}={quote(strange)}" for name in PARAMETERS)
            answer = browser.get(f"{path}?{query}")
            assert answer.status_code < 500, (path, strange)
            assert "<script>alert" not in answer.text


def test_no_form_brings_a_page_down_or_destroys_anything(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    browser = panel.browse_as(ADMIN)
    before = len(list_tokens(panel.context))
    fields = ("name", "expires", "scopes", "confirm", "value", "type", "description", *PARAMETERS)
    for path in list_routes("POST"):
        if path == "/sign-out":
            continue
        address = compose(
            path.replace("{token_id}", "0" * 16),
            cluster_id,
            pool="web",
            user="doadmin",
            database="defaultdb",
        )
        browser.get("/databases")
        for strange in STRANGE[::2]:
            answer = browser.send(address, dict.fromkeys(fields, strange))
            assert answer.status_code < 500, (path, strange)
    assert [view.cluster.id for view in list_clusters(panel.context)] == [cluster_id]
    assert len(list_tokens(panel.context)) == before
    assert browser.is_signed_in()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_there_are_no_other_ways_in(panel: Panel, method: str) -> None:
    cluster_id = panel.create_cluster()
    browser = panel.browse_as(ADMIN)
    for path in list_all_pages(cluster_id):
        answer = browser.client.request(method, path, headers={"cookie": _cookie(browser)})
        assert answer.status_code in (404, 405), path
        assert "access-control-allow-origin" not in answer.headers
    assert len(list_clusters(panel.context)) == 1


def test_a_message_for_the_next_page_is_text(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    browser.cookies[cookies.FLASH] = quote("<script>alert(1)</script>" + "x" * 2000)
    page = browser.get("/databases").text
    assert "<script>alert" not in page
    assert page.count("x" * 400) == 1 and "x" * 600 not in page


def test_who_is_not_signed_in_learns_nothing_from_an_address(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    stranger = panel.browse()
    there, not_there = str(cluster_id), "00000000-0000-4000-8000-000000000000"
    for path in list_all_pages(there):
        other = path.replace(there, not_there)
        known, unknown = stranger.get(path), stranger.get(other)
        assert known.status_code == unknown.status_code == 303, path
        assert known.headers["location"].replace(there, not_there) == unknown.headers["location"]
        assert known.text == unknown.text == ""


def _cookie(browser: Browser) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


def test_one_session_does_not_take_all_live_streams(panel: Panel) -> None:
    greedy, other = panel.browse_as(READ), panel.browse_as(READ)
    heard = []
    with contextlib.ExitStack() as open_streams:

        def open_stream(browser: Browser) -> int:
            cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
            stream = browser.client.stream("GET", "/live", headers={"cookie": cookie})
            answer = open_streams.enter_context(stream)
            if answer.status_code == 200:
                # It counts from its first words on, and as long as somebody listens.
                heard.append(answer.iter_raw())
                next(heard[-1])
            return answer.status_code

        assert {open_stream(greedy) for _ in range(MOST_OF_A_SESSION)} == {200}
        assert open_stream(greedy) == 503
        assert open_stream(other) == 200
