"""Signing in, staying signed in, and being signed out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from poolkeeper.domain.tokens import ADMIN, READ, hash_value
from poolkeeper.panel.patience import Patience, TooMany
from poolkeeper.store import tokens
from poolkeeper.usecases import sessions
from poolkeeper.usecases.clusters import list_events
from tests.panel.browsing import Browser, Panel

SESSION = "__Host-poolkeeper-session"


def make_link(panel: Panel, token: str) -> str:
    with panel.context.store.read() as tx:
        found = tokens.find_token(tx, str(hash_value(token)))
    assert found is not None
    return sessions.compose_path(sessions.create_link(panel.context, found)[1])


def follow(browser: Browser, path: str) -> int:
    """Open a link and press its button; the status."""
    browser.get(path)
    return browser.send("/sign-in", {"link": path.partition("link=")[2]}).status_code


def test_whoever_is_not_signed_in_signs_in_and_comes_back(panel: Panel) -> None:
    browser = panel.browse()
    asked = browser.get("/events?page=2")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/sign-in?next=/events%3Fpage%3D2"
    browser.get(asked.headers["location"])
    fields = {"token": panel.issue_token(READ), "next": "/events?page=2"}
    answer = browser.send("/sign-in", fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/events?page=2")
    assert browser.get("/events").status_code == 200


def test_whoever_is_signed_in_already_comes_back_without_signing_in(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    for asked, leads_to in (
        ("/events", "/events"),
        ("//evil.example", "/databases"),
        ("", "/databases"),
    ):
        answer = browser.get(f"/sign-in?next={asked}")
        assert (answer.status_code, answer.headers["location"]) == (303, leads_to)


def test_a_part_of_a_page_leads_to_the_sign_in_for_its_page(panel: Panel) -> None:
    page = "https://localhost/databases?q=a"
    asked = panel.browse().get("/databases/new", hx_request="true", hx_current_url=page)
    assert (asked.status_code, asked.text) == (204, "")
    assert asked.headers["hx-redirect"] == "/sign-in?next=/databases%3Fq%3Da"
    asked = panel.browse().get("/databases", hx_request="true", hx_current_url="http://[")
    assert (asked.status_code, asked.headers["hx-redirect"]) == (204, "/sign-in")


def test_what_a_page_asks_for_by_itself_only_says_that_nobody_is_signed_in(panel: Panel) -> None:
    """Several parts of a page may ask at once, and the page is led away once."""
    headers = {"hx_request": "true", "poolkeeper_background": "yes"}
    asked = panel.browse().get("/databases", **headers)
    assert (asked.status_code, asked.text) == (401, "")
    assert asked.headers["hx-reswap"] == "none"
    assert "hx-redirect" not in asked.headers


@pytest.mark.parametrize(
    "path", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\r\nx: y", "evil"]
)
def test_signing_in_never_leads_elsewhere(panel: Panel, path: str) -> None:
    browser = panel.browse()
    browser.get("/sign-in")
    answer = browser.send("/sign-in", {"token": panel.issue_token(READ), "next": path})
    assert answer.headers["location"] == "/databases"


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "ü" * 64, "'; DROP TABLE tokens --"])
def test_a_wrong_token_is_refused_beside_its_field(panel: Panel, token: str) -> None:
    browser = panel.browse()
    browser.get("/sign-in")
    answer = browser.send("/sign-in", {"token": token})
    assert answer.status_code == 403
    assert 'aria-describedby="hint-token error-token"' in answer.text
    assert "There is no such token" in answer.text
    assert SESSION not in browser.cookies
    assert not browser.is_signed_in()


def test_the_cookie_is_of_this_host_for_tls_and_hidden_from_scripts(panel: Panel) -> None:
    browser = panel.browse()
    browser.get("/sign-in")
    answer = browser.send("/sign-in", {"token": panel.issue_token(READ)})
    [cookie] = [
        each
        for each in answer.headers.get_list("set-cookie")
        if each.startswith(SESSION) and "Max-Age=0" not in each
    ]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/", "max-age=604800"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)


def test_the_store_has_no_session_that_could_be_stolen(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    value = browser.cookies[SESSION]
    with panel.context.store.read() as tx:
        rows = tx.connection.exec_driver_sql("SELECT * FROM panel_sessions").fetchall()
    assert len(rows) == 1
    assert value not in str(rows)


def test_signing_out_ends_the_session_itself(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    value = browser.cookies[SESSION]
    answer = browser.send("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert SESSION not in browser.cookies
    thief = panel.browse()
    thief.cookies[SESSION] = value
    assert not thief.is_signed_in()
    assert thief.get("/databases").status_code == 303


@pytest.mark.parametrize("ended", ["by signing out", "with its token"])
def test_whichever_tab_was_led_to_the_sign_in_can_sign_in(panel: Panel, ended: str) -> None:
    token = panel.issue_token(READ)
    browser = panel.browse()
    browser.sign_in(token)
    if ended == "with its token":
        panel.revoke_token(token)
    else:
        browser.send("/sign-out")
    # All ask at once, so none knows what another one was answered.
    tabs = [panel.browse() for _ in range(3)]
    for tab in tabs:
        tab.cookies |= browser.cookies
        tab.get("/sign-in")
    kept = {name: value for tab in tabs for name, value in tab.cookies.items()}
    for tab in tabs:
        tab.cookies = dict(kept)
        assert tab.send("/sign-in", {"token": panel.issue_token(READ)}).status_code == 303


def test_signing_in_again_ends_the_session_before(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    before = browser.cookies[SESSION]
    assert follow(browser, make_link(panel, panel.issue_token(ADMIN))) == 303
    assert browser.cookies[SESSION] != before
    browser.cookies[SESSION] = before
    assert not browser.is_signed_in()


def test_a_link_makes_nobody_else_of_who_is_signed_in_without_a_button(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    page = browser.get(make_link(panel, panel.issue_token(ADMIN))).text
    assert "You are signed in as database:read, and stay so" in page
    assert "data-sends-itself" not in page
    assert browser.is_signed_in()


def test_a_session_that_is_not_used_ends(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    for _ in range(3):
        panel.clock.advance(hours=11)
        assert browser.get("/databases").status_code == 200
    panel.clock.advance(hours=12)
    assert browser.get("/databases").status_code == 303


def test_a_page_that_refreshes_itself_is_no_use(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    for _ in range(2):
        panel.clock.advance(hours=5)
        asked = browser.get("/databases", poolkeeper_background="yes")
        assert asked.status_code == 200
    panel.clock.advance(hours=3)
    assert not browser.is_signed_in()


def test_no_session_lasts_longer_than_a_week(panel: Panel) -> None:
    browser = panel.browse_as(READ)
    for _ in range(7 * 24 // 8 - 1):
        panel.clock.advance(hours=8)
        assert browser.get("/databases").status_code == 200
    panel.clock.advance(hours=8)
    assert browser.get("/databases").status_code == 303


def test_a_revoked_token_ends_its_sessions(panel: Panel) -> None:
    token = panel.issue_token(READ)
    browser = panel.browse()
    browser.sign_in(token)
    panel.revoke_token(token)
    assert browser.get("/databases").status_code == 303


def test_an_expired_token_ends_its_sessions(panel: Panel) -> None:
    browser = panel.browse()
    browser.sign_in(panel.issue_token(READ, lifetime=timedelta(minutes=30)))
    panel.clock.advance(minutes=30)
    assert browser.get("/databases").status_code == 303


def test_a_link_signs_in_once_and_only_when_its_form_is_sent(panel: Panel) -> None:
    link = make_link(panel, panel.issue_token(READ))
    looking_ahead = panel.browse()
    for _ in range(3):
        page = looking_ahead.get(link)
        assert page.status_code == 200 and "data-sends-itself" in page.text
        assert page.headers["cache-control"] == "no-store"
    assert not looking_ahead.is_signed_in()
    first, second = panel.browse(), panel.browse()
    assert follow(first, link) == 303
    assert first.is_signed_in()
    assert follow(second, link) == 403
    assert "has been used already" in second.page
    assert not second.is_signed_in()


def test_a_link_lasts_five_minutes(panel: Panel) -> None:
    link = make_link(panel, panel.issue_token(READ))
    panel.clock.advance(minutes=5)
    assert follow(panel.browse(), link) == 403


def test_a_link_goes_with_its_token(panel: Panel) -> None:
    token = panel.issue_token(READ)
    link = make_link(panel, token)
    panel.revoke_token(token)
    assert follow(panel.browse(), link) == 403


def test_a_link_may_what_its_token_may(panel: Panel) -> None:
    browser = panel.browse()
    follow(browser, make_link(panel, panel.issue_token(READ)))
    assert browser.get("/databases").status_code == 200
    assert browser.get("/tokens").status_code == 403


def test_who_signed_in_is_written_down(panel: Panel) -> None:
    panel.browse_as(READ)
    [event] = list_events(panel.context)
    assert (event.event.kind, event.event.actor) == ("panel_sign_in", READ)
    assert event.event.detail == {"by": "token"}


class Sleeps:
    """Instead of sleeping: how long it was to be."""

    def __init__(self) -> None:
        self.all: list[float] = []
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.all.append(seconds)


def test_each_failure_makes_the_next_attempt_wait_longer(panel: Panel) -> None:
    sleeps = Sleeps()
    panel.app.state.patience = Patience(lambda: sleeps.now, sleeps.sleep)
    browser = panel.browse()
    for _ in range(9):
        browser.get("/sign-in")
        assert browser.send("/sign-in", {"token": "0" * 64}).status_code == 403
    assert sleeps.all == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0]
    browser.sign_in(panel.issue_token(READ))
    assert sleeps.all[6:] == [5.0]
    other = panel.browse()
    other.sign_in(panel.issue_token(READ))
    assert len(sleeps.all) == 7


@pytest.mark.anyio
async def test_failures_are_forgotten() -> None:
    sleeps = Sleeps()
    patience = Patience(lambda: sleeps.now, sleeps.sleep)
    for _ in range(5):
        await patience.note_failure("10.0.0.1")
    await patience.wait_turn("10.0.0.1")
    await patience.wait_turn("10.0.0.2")
    assert sleeps.all == [1.0]
    sleeps.now += 16 * 60
    await patience.wait_turn("10.0.0.1")
    assert sleeps.all == [1.0]


@pytest.mark.anyio
async def test_many_addresses_are_slowed_down_together() -> None:
    sleeps = Sleeps()
    patience = Patience(lambda: sleeps.now, sleeps.sleep)
    for number in range(101):
        await patience.note_failure(f"10.0.0.{number}")
    assert sleeps.all == [1.0]
    await patience.wait_turn("192.0.2.1")
    assert sleeps.all == [1.0]


@pytest.mark.anyio
async def test_few_may_wait_at_a_time() -> None:
    waiting = []

    async def start(seconds: float) -> None:
        waiting.append(seconds)
        if len(waiting) < 9:
            await patience.wait_turn("10.0.0.1")

    patience = Patience(lambda: 0.0, start)
    for _ in range(4):
        await patience.note_failure("10.0.0.1")
    with pytest.raises(TooMany):
        await patience.wait_turn("10.0.0.1")
    assert len(waiting) == 4
