"""What holds on every page there is, and on those that are still to come: see addresses.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Open, sign_in
from tests.browser.test_first_story import find_barriers
from tests.panel.addresses import list_pages
from tests.plane import Plane, connect

# Whatever may be typed or sent freely holds this; the others may hold nothing that means anything.
HOSTILE = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>{{7*7}}'
LONG = "a-name-that-is-as-long-as-any-name-may-be-which-is-63-characters"[:63]


@dataclass(frozen=True)
class Place:
    """A cluster of which every page has something to show."""

    id: str
    passwords: tuple[str, ...]

    @property
    def pages(self) -> list[str]:
        return list_pages(self.id, pool=LONG, user=LONG, database=LONG)


@pytest.fixture(scope="module")
def place(plane: Plane, api: httpx.Client, cluster: Mapping[str, Any]) -> Iterator[Place]:
    base = f"/v2/databases/{cluster['id']}"

    def ask(method: str, path: str, **body: object) -> Any:
        answer = api.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    ask("POST", f"{base}/users", name=LONG)
    ask("POST", f"{base}/dbs", name=LONG)
    shape = {"mode": "transaction", "size": 3, "db": LONG}
    uri = ask("POST", f"{base}/pools", name=LONG, user=LONG, **shape)["pool"]["connection"]["uri"]
    ask("POST", f"{base}/pools", name="inbound", **shape)
    rules = [{"type": "ip_addr", "value": "127.0.0.0/8", "description": HOSTILE[:255]}]
    ask("PUT", f"{base}/firewall", rules=rules)
    tag = "x" * 255
    ask("POST", "/v2/tags", name=tag)
    resources = [{"resource_id": cluster["id"], "resource_type": "database"}]
    ask("POST", f"/v2/tags/{tag}/resources", resources=resources)
    token = ask("POST", "/v1/tokens", name=HOSTILE[:60], scopes=["database:read"])["token"]
    users = ask("GET", f"{base}/users")["users"]
    with connect(uri, application_name=HOSTILE[:60]) as connection:
        connection.execute("SELECT 1")
        yield Place(cluster["id"], tuple(user["password"] for user in users))
    ask("DELETE", f"/v1/tokens/{token['id']}")
    ask("DELETE", f"/v2/tags/{tag}")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("light", 768), ("dark", 360)])
def test_no_page_keeps_anybody_out(
    open_page: Open, plane: Plane, place: Place, scheme: str, width: int
) -> None:
    with open_page(width=width, color_scheme=scheme, bypass_csp=True) as page:
        page.goto("/sign-in")
        found = [f"/sign-in: {each}" for each in find_barriers(page)]
        sign_in(page, plane.token)
        for path in (*place.pages, "/nothing", f"/databases/{place.id}/pools?q=<b>"):
            page.goto(path)
            found += [f"{path}: {each}" for each in find_barriers(page)]
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if over > 0:
                found.append(f"{path}: {over} pixels too wide")
        assert not found, "\n".join(found)


def test_what_people_typed_never_runs(open_page: Open, plane: Plane, place: Place) -> None:
    seen = ""
    with open_page() as page:
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        sign_in(page, plane.token)
        search = f"/databases/{place.id}/pools?q={HOSTILE}"
        for path in (*place.pages, search, f"/databases/{place.id}/connect?user={HOSTILE}"):
            page.goto(path)
            assert page.evaluate("window.pwned") is None, path
            seen += page.content()
    # Escaped, as a token's name, a rule's description, a client's application_name.
    assert seen.count("&lt;img src=x onerror=") >= 3
    assert "{{7*7}}" in seen


# Scripts and styles in the page, and a request elsewhere; and which rules each of them broke.
_INJECT = """async () => {
  const told = new Set();
  const note = (event) => told.add(event.effectiveDirective);
  document.addEventListener("securitypolicyviolation", note);
  const script = document.createElement("script");
  script.textContent = "window.pwned = 1";
  const rest = document.createElement("div");
  rest.innerHTML = "<img src='data:x' onerror='window.pwned = 1'><p style='color: red'>x</p>";
  document.body.append(script, rest);
  await fetch("https://127.0.0.1:1/").catch(() => undefined);
  for (let waits = 0; waits < 400 && told.size < 4; waits += 1)
    await new Promise((done) => setTimeout(done, 100));
  return [window.pwned ?? null, [...told].sort()];
}"""
_REFUSED = ["connect-src", "script-src-attr", "script-src-elem", "style-src-attr"]


def test_the_policy_stops_a_script_that_gets_into_a_page(
    chromium: Browser, plane: Plane, place: Place
) -> None:
    context = chromium.new_context(ignore_https_errors=True, base_url=plane.url)
    page = context.new_page()
    sign_in(page, plane.token)
    for path in place.pages:
        page.goto(path)
        assert page.evaluate(_INJECT) == [None, _REFUSED], path
    context.close()


def test_another_site_cannot_send_forms(
    chromium: Browser, plane: Plane, place: Place, api: httpx.Client
) -> None:
    before = api.get("/v2/databases").json()
    context = chromium.new_context(ignore_https_errors=True, base_url=plane.url)
    page = context.new_page()
    sign_in(page, plane.token)
    for path in ("/databases/new", f"/databases/{place.id}/new-pool", "/sign-out"):
        page.goto("about:blank")
        page.set_content(f"""<form method="post" action="{plane.url}{path}">
            <input name="name" value="evil"><input name="mode" value="session">
            <input name="size" value="1"><input name="db" value="defaultdb"><input name="user">
            <button>Win a prize</button></form>""")
        with page.expect_response(lambda answer: answer.request.method == "POST") as caught:
            page.get_by_role("button").click()
        assert caught.value.status in (303, 403), path
        # The next page is not asked for while this one is on its way.
        page.wait_for_url(f"{plane.url}/**")
    page.goto("/databases")
    expect(page.get_by_role("heading", name="Databases")).to_be_visible()
    assert api.get("/v2/databases").json() == before
    assert api.get(f"/v2/databases/{place.id}/pools/evil").status_code == 404
    context.close()


def test_who_may_only_read_sees_no_password_and_is_offered_nothing_that_fails(
    open_page: Open, plane: Plane, api: httpx.Client, place: Place
) -> None:
    made = api.post("/v1/tokens", json={"name": "reader", "scopes": ["database:read"]})
    with open_page() as page:
        sign_in(page, made.json()["token"]["value"])
        offered: set[str] = set()
        allowed = 0
        for path in place.pages:
            answer = page.goto(path)
            assert answer is not None and answer.status in (200, 403), path
            content = page.content()
            assert not [each for each in place.passwords if each in content], path
            if answer.status == 200:
                allowed += 1
                offered |= set(page.locator("a[href^='/']").evaluate_all(_HREFS))
                forms = set(page.locator("form[method=post]").evaluate_all(_ACTIONS))
                assert forms <= {"/theme", "/sign-out"}, path
        assert allowed >= 10
        failing = [path for path in sorted(offered) if _is_refused(page, path)]
        assert failing == []
    api.delete(f"/v1/tokens/{made.json()['token']['id']}")


_HREFS = "all => all.map(each => each.getAttribute('href'))"
_ACTIONS = "all => all.map(each => each.getAttribute('action'))"


def _is_refused(page: Page, path: str) -> bool:
    return page.request.get(path).status >= 400


def test_every_page_can_be_read_without_scripts(
    open_page: Open, plane: Plane, place: Place
) -> None:
    with open_page(java_script_enabled=False, width=390) as page:
        sign_in(page, plane.token)
        for path in place.pages:
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            # Nothing that only a script could do is offered.
            for each in page.locator(".needs-js").all():
                expect(each).not_to_be_visible()
