"""Trusted sources in the panel, by plain forms. The browser comes from 127.0.0.1."""

from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from starlette.requests import Request

from poolkeeper.domain.firewall import parse_rules
from poolkeeper.domain.tokens import ADMIN, CREATE, DELETE, READ, UPDATE
from poolkeeper.panel.reach import find_address
from poolkeeper.usecases.firewall import list_rules, replace_rules
from tests.panel.browsing import Browser, Panel

HOME = ("ip_addr", "127.0.0.0/8")
OFFICE = ("ip_addr", "192.0.2.0/24")
TAG = ("tag", "web")
MEANWHILE = "Somebody removed the other sources meanwhile"


@pytest.fixture
def cluster_id(panel: Panel) -> UUID:
    return panel.create_cluster()


@pytest.fixture
def path(cluster_id: UUID) -> str:
    return f"/databases/{cluster_id}/trusted-sources"


def trust(panel: Panel, cluster_id: UUID, *sources: tuple[str, str], description: str = "") -> None:
    rules = parse_rules([(*source, description, None) for source in sources])
    replace_rules(panel.context, "test", cluster_id, rules)


def list_sources(panel: Panel, cluster_id: UUID) -> list[tuple[str, str]]:
    return [(rule.type, rule.value) for rule in list_rules(panel.context, cluster_id)]


def find_uuid(panel: Panel, cluster_id: UUID, value: str) -> str:
    [uuid] = [rule.uuid for rule in list_rules(panel.context, cluster_id) if rule.value == value]
    return str(uuid)


def read_error(page: str, field: str) -> str:
    found = re.search(rf'<p class="error" id="error-{field}">([^<]*)</p>', page)
    assert found, f"no error beside {field}"
    return html.unescape(found[1])


def read_form(page: str, id: str) -> dict[str, str]:
    """The hidden fields of a form."""
    form = page[page.index(f'id="{id}"') :]
    hidden = re.findall(
        r'<input type="hidden" name="(\w+)" value="([^"]*)">', form.split("</form>")[0]
    )
    return {name: value for name, value in hidden if name != "csrf"}


def test_the_page_says_whom_the_cluster_lets_in(panel: Panel, cluster_id: UUID, path: str) -> None:
    browser = panel.browse_as(READ)
    page = browser.get(path).text
    assert "Open to whoever can reach its ports" in page and "No trusted source" in page
    trust(panel, cluster_id, HOME, TAG)
    page = browser.get(path).text
    assert "Limited to the addresses below." in page
    assert "You come from <code>127.0.0.1</code>, which is let in." in page
    # 127.0.0.0/8 is where the browser comes from; what a tag stands for nobody knows.
    assert page.count("lets you in (127.0.0.1)") == 1 and page.count(">lets nobody in<") == 1
    trust(panel, cluster_id, OFFICE)
    page = browser.get(path).text
    assert "which is <strong>not</strong> let in" in page
    trust(panel, cluster_id, TAG)
    page = browser.get(path).text
    assert "Nobody may connect over the network" in page
    trust(panel, cluster_id, OFFICE, ("ip_addr", "0.0.0.0/0"))
    assert "Open to all addresses" in browser.get(path).text


def test_a_source_is_added(panel: Panel, cluster_id: UUID, path: str) -> None:
    trust(panel, cluster_id, HOME)
    browser = panel.browse_as(READ, UPDATE)
    browser.get(path)
    sent = {"type": "ip_addr", "value": " 192.0.2.0/24 ", "description": "office"}
    answer = browser.send(path, sent)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert list_sources(panel, cluster_id) == [HOME, OFFICE]
    assert list_rules(panel.context, cluster_id)[1].description == "office"
    assert "192.0.2.0/24 is a trusted source now." in browser.get(path).text


def test_adding_keeps_the_others_as_they_are(panel: Panel, cluster_id: UUID, path: str) -> None:
    trust(panel, cluster_id, HOME, TAG, description="as it was")
    before = list_rules(panel.context, cluster_id)
    browser = panel.browse_as(READ, UPDATE)
    browser.get(path)
    assert browser.send(path, {"type": "k8s", "value": "a", "description": ""}).status_code == 303
    assert list_rules(panel.context, cluster_id)[:2] == before


def test_of_those_added_at_once_none_is_lost(panel: Panel, cluster_id: UUID, path: str) -> None:
    trust(panel, cluster_id, HOME)
    values = [f"192.0.2.{number}" for number in range(1, 9)]
    browsers = [panel.browse_as(READ, UPDATE) for _ in values]

    def add(browser: Browser, value: str) -> int:
        browser.get(path)
        sent = {"type": "ip_addr", "value": value, "description": ""}
        return browser.send(path, sent).status_code

    with ThreadPoolExecutor(len(values)) as pool:
        assert set(pool.map(add, browsers, values)) == {303}
    assert {value for _, value in list_sources(panel, cluster_id)} == {HOME[1], *values}


def test_this_browsers_address_is_offered(panel: Panel, cluster_id: UUID, path: str) -> None:
    browser = panel.browse_as(UPDATE, READ)
    page = browser.get(path).text
    offer = page[page.index('class="offer"') :].split("</form>")[0]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', offer))
    assert (fields["type"], fields["value"]) == ("ip_addr", "127.0.0.1")
    assert browser.send(path, fields).status_code == 303
    assert list_sources(panel, cluster_id) == [("ip_addr", "127.0.0.1")]
    assert "Add this browser" not in browser.get(path).text


@pytest.mark.parametrize(
    ("known", "source", "warns"),
    [
        ((), OFFICE, "You come from 127.0.0.1, which would be locked out"),
        ((), TAG, "Nobody could connect over the network then"),
    ],
)
@pytest.mark.parametrize("htmx", [{}, {"hx_request": "true"}])
def test_who_would_lock_themselves_out_is_asked_once_more(
    panel: Panel,
    cluster_id: UUID,
    path: str,
    known: tuple[tuple[str, str], ...],
    source: tuple[str, str],
    warns: str,
    htmx: dict[str, str],
) -> None:
    trust(panel, cluster_id, *known)
    browser = panel.browse_as(READ, UPDATE)
    browser.get(path)
    sent = {"type": source[0], "value": source[1], "description": "mine"}
    answer = browser.send(path, sent, **htmx)
    assert answer.status_code == 422 and warns in answer.text
    assert f'name="value" value="{source[1]}"' in answer.text
    assert 'name="description" value="mine"' in answer.text
    assert list_sources(panel, cluster_id) == []
    sure = read_form(answer.text, "new-source")
    # That was asked of this source, not of any other.
    other = browser.send(path, sent | {"value": "198.51.100.9", "type": "ip_addr"} | sure)
    assert other.status_code == 422 and list_sources(panel, cluster_id) == []
    assert browser.send(path, sent | sure).status_code == 303
    assert list_sources(panel, cluster_id) == [source]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("value", "", "1 to 255 printable characters"),
        ("value", "10.0.0.300", "is no IP address, and no network such as 10.0.0.0/8"),
        ("value", '"><b>', "is no IP address"),
        ("value", "127.0.0.0/8", "is a trusted source already"),
        ("type", "castle", "is none of droplet"),
        ("description", "x" * 256, "0 to 255 printable characters"),
        ("description", "bell \a", "0 to 255 printable characters"),
    ],
)
def test_an_error_stands_beside_its_field_and_nothing_typed_is_lost(
    panel: Panel, cluster_id: UUID, path: str, field: str, value: str, says: str
) -> None:
    trust(panel, cluster_id, HOME)
    browser = panel.browse_as(READ, UPDATE)
    browser.get(path)
    sent = {"type": "ip_addr", "value": "192.0.2.1", "description": "office"} | {field: value}
    answer = browser.send(path, sent)
    assert answer.status_code == 422
    assert says in read_error(answer.text, field)
    assert "<b>" not in answer.text
    for name in {"value", "description"} - {field}:
        assert f'name="{name}" value="{sent[name]}"' in answer.text
    assert list_sources(panel, cluster_id) == [HOME]


def test_a_hundred_are_enough(panel: Panel, cluster_id: UUID, path: str) -> None:
    trust(panel, cluster_id, *(("ip_addr", f"127.0.0.{number}") for number in range(1, 101)))
    browser = panel.browse_as(READ, UPDATE)
    browser.get(path)
    answer = browser.send(path, {"type": "ip_addr", "value": "192.0.2.1", "description": ""})
    assert answer.status_code == 422
    assert "there are 100 trusted sources" in read_error(answer.text, "value")


def test_a_source_is_removed(panel: Panel, cluster_id: UUID, path: str) -> None:
    trust(panel, cluster_id, HOME, OFFICE)
    uuid = find_uuid(panel, cluster_id, OFFICE[1])
    browser = panel.browse_as(READ, UPDATE)
    assert f'{path}/remove?uuid={uuid}"' in browser.get(path).text
    page = browser.get(f"{path}/remove?uuid={uuid}").text
    assert "Remove 192.0.2.0/24?" in page and "are cut at once" in page
    assert "locked out" not in page and "open then" not in page
    answer = browser.send(f"{path}/remove", read_form(page, "remove-source"))
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert list_sources(panel, cluster_id) == [HOME]
    assert browser.get(f"{path}/remove?uuid={uuid}").status_code == 404


@pytest.mark.parametrize(
    ("sources", "warns"),
    [
        ((HOME, OFFICE), "You come from 127.0.0.1, which would be locked out"),
        ((HOME, TAG), "Nobody could connect over the network then"),
        ((HOME,), "The cluster is open then"),
    ],
)
def test_removing_where_one_comes_from_says_what_happens(
    panel: Panel,
    cluster_id: UUID,
    path: str,
    sources: tuple[tuple[str, str], ...],
    warns: str,
) -> None:
    trust(panel, cluster_id, *sources)
    browser = panel.browse_as(READ, UPDATE)
    page = browser.get(f"{path}/remove?uuid={find_uuid(panel, cluster_id, HOME[1])}").text
    assert warns in page
    assert browser.send(f"{path}/remove", read_form(page, "remove-source")).status_code == 303
    assert list_sources(panel, cluster_id) == list(sources[1:])


def test_all_are_removed(panel: Panel, cluster_id: UUID, path: str) -> None:
    trust(panel, cluster_id, HOME, OFFICE)
    browser = panel.browse_as(READ, UPDATE)
    page = browser.get(f"{path}/remove").text
    assert "Remove all 2 trusted sources?" in page and "The cluster is open then" in page
    assert browser.send(f"{path}/remove", read_form(page, "remove-source")).status_code == 303
    assert list_sources(panel, cluster_id) == []
    assert "There is no trusted source" in browser.get(f"{path}/remove").text


def test_the_last_one_does_not_open_the_cluster_unless_that_was_said(
    panel: Panel, cluster_id: UUID, path: str
) -> None:
    trust(panel, cluster_id, HOME, OFFICE)
    browser = panel.browse_as(READ, UPDATE)
    page = browser.get(f"{path}/remove?uuid={find_uuid(panel, cluster_id, HOME[1])}").text
    trust(panel, cluster_id, HOME)
    answer = browser.send(f"{path}/remove", read_form(page, "remove-source"))
    assert answer.status_code == 422
    assert MEANWHILE in answer.text and "The cluster is open then" in answer.text
    assert list_sources(panel, cluster_id) == [HOME]
    # Now it was said.
    again = read_form(answer.text, "remove-source")
    assert browser.send(f"{path}/remove", again).status_code == 303
    assert list_sources(panel, cluster_id) == []


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>"])
def test_what_people_typed_is_shown_as_they_typed_it(
    panel: Panel, cluster_id: UUID, path: str, text: str
) -> None:
    trust(panel, cluster_id, HOME, ("tag", text), description=text)
    browser = panel.browse_as(ADMIN)
    for page in (
        browser.get(path).text,
        browser.get(f"{path}/remove?uuid={find_uuid(panel, cluster_id, text)}").text,
    ):
        assert text not in page
        assert text in html.unescape(page)


def test_who_may_not_update_only_reads(panel: Panel, cluster_id: UUID, path: str) -> None:
    trust(panel, cluster_id, HOME)
    browser = panel.browse_as(READ, CREATE, DELETE)
    page = browser.get(path).text
    assert "127.0.0.0/8" in page
    assert "/remove" not in page and "hx-post" not in page and "Add this browser" not in page
    assert browser.get(f"{path}/remove").status_code == 403
    browser.get(path)
    sent = {"type": "ip_addr", "value": "192.0.2.1", "description": ""}
    assert browser.send(path, sent).status_code == 403
    assert browser.send(f"{path}/remove", {"uuid": "", "opens": "yes"}).status_code == 403
    assert list_sources(panel, cluster_id) == [HOME]


@pytest.mark.parametrize("uuid", ["6f1c2b1e-0d2c-4c39-9c4f-3a7c9b0f5e21", "nothing"])
def test_a_source_that_is_not_there(panel: Panel, cluster_id: UUID, path: str, uuid: str) -> None:
    trust(panel, cluster_id, HOME)
    browser = panel.browse_as(ADMIN)
    assert browser.get(f"{path}/remove?uuid={uuid}").status_code == 404
    browser.get(path)
    sent = {"uuid": uuid, "opens": "yes"}
    assert browser.send(f"{path}/remove", sent).status_code == 404
    assert list_sources(panel, cluster_id) == [HOME]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("testclient", ""),
        (None, ""),
    ],
)
def test_an_address_is_told_as_servers_of_a_cluster_see_it(host: str | None, address: str) -> None:
    scope = {"type": "http", "client": (host, 1) if host else None}
    assert find_address(Request(scope)) == address
