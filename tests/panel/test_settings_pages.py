"""The settings of a cluster: maintenance, certificate, tags, storage, and who may change them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Autoscale, Cluster, MaintenanceWindow
from poolkeeper.domain.status import ServerProcess
from poolkeeper.domain.tokens import CREATE, DELETE, READ, UPDATE
from poolkeeper.usecases.clusters import list_clusters, require_live_cluster
from poolkeeper.usecases.tags import create_tag, list_tags
from tests.panel.browsing import Browser, Panel

BIGGER = "db-s-2vcpu-4gb"
EVIL = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def cluster_id(panel: Panel) -> UUID:
    return panel.create_cluster()


@pytest.fixture
def path(cluster_id: UUID) -> str:
    return f"/databases/{cluster_id}/settings"


def read_error(page: str, field: str) -> str:
    found = re.search(rf'<p class="error" id="error-{field}">([^<]*)</p>', page)
    assert found, f"no error beside {field}"
    return found[1]


def read(panel: Panel, cluster_id: UUID) -> Cluster:
    return require_live_cluster(panel.context, cluster_id)


def change(browser: Browser, path: str, section: str, **fields: object) -> tuple[int, str]:
    """Send a section's form, and look at what follows."""
    browser.get(path)
    answer = browser.send(path, {"section": section, **fields})
    if answer.status_code == 303:
        assert answer.headers["location"] == path
        return 303, browser.get(path).text
    return answer.status_code, answer.text


def test_settings_show_what_is(panel: Panel, cluster_id: UUID, path: str) -> None:
    started = datetime(2026, 11, 1, 9, tzinfo=UTC)
    process = ServerProcess("pgbouncer", 1, 4711, "1.26.1", 25061, started)
    panel.context.observations.put_processes(cluster_id, (process,))
    page = panel.browse_as(READ).get(path).text
    assert "db-s-1vcpu-1gb: 1 vCPU, 1 GiB" in page
    assert "22 backend connections, 0 held by 0 pools" in page
    assert "<strong>Sunday</strong> at <strong>03:00 UTC</strong>, for 4 hours" in page
    assert "Nothing waits for a restart." in page
    assert "No names of your own." in page and f"/databases/{cluster_id}/ca.crt" in page
    assert "10 GiB, autoscaling is off" in page
    assert re.search(r"PgBouncer</th>.*1\.26\.1.*25061.*4711", page, re.DOTALL)
    assert "kept for 7 days" in page


def test_who_may_only_read_is_offered_no_form(panel: Panel, path: str) -> None:
    browser = panel.browse_as(READ)
    for each in ("", "/resize", f"/resize?size={BIGGER}", "/configuration"):
        page = browser.get(path + each).text
        actions = set(re.findall(r'method="post" action="([^"]+)"', page))
        assert actions == {"/theme", "/sign-out"}, each
        assert "/rotate" not in page and "/destroy" not in page
    assert "may do neither" in browser.get(path).text


@pytest.mark.parametrize(
    ("scopes", "method", "each", "status"),
    [
        ((READ,), "POST", "", 403),
        ((READ, CREATE, DELETE), "POST", "", 403),
        ((READ,), "POST", "/resize", 403),
        ((READ,), "POST", "/configuration", 403),
        ((READ, DELETE), "GET", "/rotate", 403),
        ((READ, DELETE), "POST", "/rotate", 403),
        ((READ, UPDATE), "GET", "/destroy", 403),
        ((READ, UPDATE), "POST", "/destroy", 403),
        ((READ, UPDATE), "GET", "/rotate", 200),
        ((READ, DELETE), "GET", "/destroy", 200),
        ((CREATE,), "GET", "", 403),
    ],
)
def test_each_action_takes_its_scope(
    panel: Panel, path: str, scopes: tuple[str, ...], method: str, each: str, status: int
) -> None:
    browser = panel.browse_as(*scopes)
    fields = {"section": "install", "confirm": "main", "size": BIGGER, "from": "db-s-1vcpu-1gb"}
    browser.get("/databases")
    answer = browser.get(path + each) if method == "GET" else browser.send(path + each, fields)
    assert answer.status_code == status
    [view] = list_clusters(panel.context)
    assert view.cluster.size.slug == "db-s-1vcpu-1gb"


def test_a_form_of_another_site_changes_nothing(panel: Panel, cluster_id: UUID, path: str) -> None:
    browser = panel.browse_as()
    for each in ("", "/resize", "/configuration", "/rotate", "/destroy"):
        browser.page = ""
        assert browser.send(path + each, {"confirm": "main"}).status_code == 403
    assert read(panel, cluster_id).generation == 1


def test_there_is_nothing_to_set_of_no_cluster(panel: Panel) -> None:
    browser = panel.browse_as()
    for each in ("", "/resize", "/configuration", "/rotate", "/destroy"):
        missing = "/databases/00000000-0000-4000-8000-000000000000/settings"
        assert browser.get(missing + each).status_code == 404


def test_the_window_is_moved(panel: Panel, cluster_id: UUID, path: str) -> None:
    browser = panel.browse_as(READ, UPDATE)
    status, page = change(browser, path, "maintenance", day="tuesday", hour="22:00")
    assert status == 303
    assert "opens on Tuesday at 22:00 UTC." in page
    assert '<option value="tuesday" selected>' in page
    assert '<option value="22:00" selected>' in page
    assert read(panel, cluster_id).maintenance == MaintenanceWindow("tuesday", "22:00:00")


@pytest.mark.parametrize(
    ("section", "fields", "wrong", "says", "kept"),
    [
        ("maintenance", {"day": EVIL, "hour": "04:00"}, "day", "is none of", "04:00"),
        ("maintenance", {"day": "monday", "hour": "noon"}, "hour", "is no time", "monday"),
        ("tls", {"service_cnames": f"a.example.org {EVIL}"}, "service_cnames", "no fully", ""),
        ("tls", {"service_cnames": "10.0.0.1"}, "service_cnames", "is an address", "10.0.0.1"),
        ("tag", {"tag": EVIL}, "tag", "1 to 255 characters", ""),
        (
            "storage",
            {"enabled": "yes", "threshold_percent": "99", "increment_gib": "77"},
            "threshold_percent",
            "99 is not a number from 15 to 95",
            "77",
        ),
        (
            "storage",
            {"threshold_percent": "50", "increment_gib": "much"},
            "increment_gib",
            "must be a whole number",
            "50",
        ),
    ],
)
@pytest.mark.parametrize("htmx", [{}, {"hx_request": "true"}])
def test_an_error_stands_beside_its_field_and_nothing_typed_is_lost(
    panel: Panel,
    cluster_id: UUID,
    path: str,
    section: str,
    fields: dict[str, str],
    wrong: str,
    says: str,
    kept: str,
    htmx: dict[str, str],
) -> None:
    before = read(panel, cluster_id)
    browser = panel.browse_as()
    browser.get(path)
    answer = browser.send(path, {"section": section, **fields}, **htmx)
    assert answer.status_code == 422
    assert says in read_error(answer.text, wrong)
    assert kept in answer.text
    assert "<img src=x" not in answer.text
    if "enabled" in fields:
        assert 'name="enabled" value="yes" checked' in answer.text
    assert read(panel, cluster_id) == before


def test_a_section_that_is_none_is_refused(panel: Panel, path: str) -> None:
    browser = panel.browse_as()
    browser.get(path)
    assert browser.send(path, {"section": "everything"}).status_code == 422


def test_what_waits_can_be_applied_now(panel: Panel, cluster_id: UUID, path: str) -> None:
    panel.reconciler.busy = True
    panel.reconciler.apply(cluster_id)
    browser = panel.browse_as(READ, UPDATE)
    page = browser.get(path).text
    assert "restart PostgreSQL to apply max_connections" in page
    assert "Up to 30 s are given to those who would be cut" in page
    assert "Apply now" not in panel.browse_as(READ).get(path).text
    panel.reconciler.busy = False
    status, page = change(browser, path, "install")
    assert status == 303
    assert "as soon as nobody would be cut" in page
    cluster = read(panel, cluster_id)
    assert cluster.restart_generation == cluster.generation == 2
    # From a page that was open before: no restart that there will not be is announced.
    status, page = change(browser, path, "install")
    assert status == 303
    assert "What waits for a restart of PostgreSQL gets it" in page


def test_names_get_into_the_certificate(panel: Panel, cluster_id: UUID, path: str) -> None:
    names = "db.example.org,\r\nx.example.org"
    status, page = change(panel.browse_as(), path, "tls", service_cnames=names)
    assert status == 303
    assert read(panel, cluster_id).service_cnames == ("db.example.org", "x.example.org")
    assert "<code>x.example.org</code>" in page
    status, page = change(panel.browse_as(), path, "tls", service_cnames="")
    assert (status, read(panel, cluster_id).service_cnames) == (303, ())


def test_names_that_are_not_in_force_in_time_are_taken_back(
    panel: Panel, cluster_id: UUID, path: str
) -> None:
    panel.reconciler.silent = True
    object.__setattr__(panel.context, "wait_seconds", 0.1)
    status, page = change(panel.browse_as(), path, "tls", service_cnames="db.example.org")
    assert status == 422
    assert "taken back; try again" in page
    assert "db.example.org</textarea>" in page
    assert read(panel, cluster_id).service_cnames == ()


def test_tags_are_added_and_taken_off(panel: Panel, cluster_id: UUID, path: str) -> None:
    create_tag(panel.context, "test", "Team:A")
    browser = panel.browse_as(READ, UPDATE)
    # Spelled as it is known; a token that may not create one is told so.
    assert change(browser, path, "tag", tag=" team:a ")[0] == 303
    status, page = change(browser, path, "tag", tag="brand-new")
    assert status == 422
    assert "may not create one" in read_error(page, "tag")
    assert 'value="brand-new"' in page
    assert change(panel.browse_as(READ, UPDATE, CREATE), path, "tag", tag="brand-new")[0] == 303
    assert read(panel, cluster_id).tags == ("Team:A", "brand-new")
    assert change(browser, path, "untag", tag="Team:A")[0] == 303
    assert read(panel, cluster_id).tags == ("brand-new",)
    assert "Team:A" in [tag.name for tag in list_tags(panel.context)]
    status, page = change(browser, path, "tag", tag="x" * 256)
    assert status == 422


def test_autoscaling_is_kept(panel: Panel, cluster_id: UUID, path: str) -> None:
    fields = {"enabled": "yes", "threshold_percent": "70", "increment_gib": "20"}
    status, page = change(panel.browse_as(), path, "storage", **fields)
    assert status == 303
    assert "on: at 70 % by 20 GiB" in page
    assert 'value="yes" checked' in page
    assert read(panel, cluster_id).autoscale == Autoscale(True, 70, 20)
    change(panel.browse_as(), path, "storage", threshold_percent="70", increment_gib="20")
    assert read(panel, cluster_id).autoscale == Autoscale(False, 70, 20)
