"""Two people with the same form: who saves later learns what the other one did."""

from __future__ import annotations

import html
import re
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Autoscale, MaintenanceWindow
from poolkeeper.domain.tokens import ADMIN
from poolkeeper.usecases import cluster_settings, maintenance, users
from poolkeeper.usecases.clusters import require_live_cluster
from poolkeeper.usecases.config import patch_config
from tests.panel.browsing import Browser, Panel

_TWIN = re.compile(r'<input type="hidden" name="(was:[^"]+)" value="([^"]*)">')


@pytest.fixture
def cluster_id(panel: Panel) -> UUID:
    return panel.create_cluster()


def read_twins(browser: Browser) -> dict[str, str]:
    """What the page that was seen last says that its fields held."""
    return {name: html.unescape(text) for name, text in _TWIN.findall(browser.page)}


def read_error(page: str, field: str) -> str:
    found = re.search(rf'<p class="error" id="error-{field}">([^<]*)</p>', page)
    assert found, f"no error beside {field}"
    return html.unescape(found[1])


def set_window(panel: Panel, cluster_id: UUID) -> None:
    window = MaintenanceWindow("monday", "05:00:00")
    maintenance.set_window(panel.context, "cli", cluster_id, window)


def set_names(panel: Panel, cluster_id: UUID) -> None:
    cluster_settings.update_service_names(panel.context, "cli", cluster_id, ("a.test", "b.test"))


def set_storage(panel: Panel, cluster_id: UUID) -> None:
    cluster_settings.update_autoscale(panel.context, "cli", cluster_id, Autoscale(True, 70, 20))


@pytest.mark.parametrize(
    ("section", "sent", "other", "field", "told", "kept"),
    [
        (
            "maintenance",
            {"day": "friday", "hour": "03:00"},
            set_window,
            "day",
            "was Sunday when this page was made, is Monday now",
            '<option value="friday" selected>',
        ),
        (
            "tls",
            {"service_cnames": "mine.test"},
            set_names,
            "service_cnames",
            "is a.test, b.test now",
            "mine.test</textarea>",
        ),
        (
            "storage",
            {"threshold_percent": "80", "increment_gib": "10"},
            set_storage,
            "enabled",
            "was off when this page was made, is on now",
            'name="increment_gib" value="10"',
        ),
    ],
)
def test_a_section_that_was_changed_meanwhile_is_not_overwritten_unseen(
    panel: Panel,
    cluster_id: UUID,
    section: str,
    sent: dict[str, str],
    other: object,
    field: str,
    told: str,
    kept: str,
) -> None:
    path = f"/databases/{cluster_id}/settings"
    browser = panel.browse_as(ADMIN)
    browser.get(path)
    first = {"section": section, **sent, **read_twins(browser)}
    assert callable(other)
    other(panel, cluster_id)
    before = require_live_cluster(panel.context, cluster_id)
    answer = browser.send(path, first)
    assert answer.status_code == 422
    assert told in read_error(answer.text, field)
    assert "Somebody else changed this meanwhile: nothing was saved now." in answer.text
    assert kept in answer.text
    assert require_live_cluster(panel.context, cluster_id) == before
    # Sent once more, it is meant.
    answer = browser.send(path, {"section": section, **sent, **read_twins(browser)})
    assert answer.status_code == 303
    assert require_live_cluster(panel.context, cluster_id) != before


def test_the_same_change_twice_is_no_conflict(panel: Panel, cluster_id: UUID) -> None:
    path = f"/databases/{cluster_id}/settings"
    browser = panel.browse_as(ADMIN)
    browser.get(path)
    sent = {"section": "maintenance", "day": "monday", "hour": "05:00", **read_twins(browser)}
    set_window(panel, cluster_id)
    assert browser.send(path, sent).status_code == 303


def test_a_users_settings_are_not_overwritten_unseen(panel: Panel, cluster_id: UUID) -> None:
    users.create_user(panel.context, "test", cluster_id, "app")
    path = f"/databases/{cluster_id}/users/app"
    browser = panel.browse_as(ADMIN)
    browser.get(path)
    twins = read_twins(browser)
    users.update_user(panel.context, "cli", cluster_id, "app", allow_replication=True)
    answer = browser.send(path, twins)
    assert answer.status_code == 422
    assert "was off when this page was made, is on now" in read_error(answer.text, "replication")
    assert users.get_user(panel.context, cluster_id, "app").allow_replication
    assert browser.send(path, read_twins(browser)).status_code == 303
    assert not users.get_user(panel.context, cluster_id, "app").allow_replication


def test_one_setting_of_two_people_is_told_and_others_are_left_alone(
    panel: Panel, cluster_id: UUID
) -> None:
    path = f"/databases/{cluster_id}/settings/configuration"
    browser = panel.browse_as(ADMIN)
    browser.get(path)
    twins = read_twins(browser)
    patch = {"work_mem": 8, "deadlock_timeout": 2000}
    patch_config(panel.context, "cli", cluster_id, patch)
    answer = browser.send(path, twins | {"work_mem": "16"})
    assert answer.status_code == 422
    assert "was nothing when this page was made, is 8 now" in read_error(answer.text, "work_mem")
    assert 'name="work_mem" value="16"' in re.sub(r"\s+id=\"[^\"]*\"", "", answer.text)
    answer = browser.send(path, read_twins(browser) | {"work_mem": "16"})
    assert answer.status_code == 303
    config = require_live_cluster(panel.context, cluster_id).config
    assert config == {"work_mem": 16, "deadlock_timeout": 2000}
