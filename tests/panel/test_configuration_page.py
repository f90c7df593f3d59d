"""The settings of PgBouncer and PostgreSQL, changed by a plain form."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.config_options import OPTIONS
from poolkeeper.domain.maintenance import DAYS, parse_window
from poolkeeper.domain.tokens import READ, UPDATE
from poolkeeper.panel.config_rows import parse, show
from poolkeeper.usecases.clusters import require_live_cluster
from poolkeeper.usecases.config import patch_config
from poolkeeper.usecases.maintenance import set_window
from tests.panel.browsing import Panel

_FIELD = re.compile(r'<input type="(?:text|hidden)"[^>]* name="([^"]+)" value="([^"]*)"')
_SELECT = re.compile(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', re.DOTALL)
_CHOSEN = re.compile(r'<option value="([^"]*)" selected>')


@pytest.fixture
def cluster_id(panel: Panel) -> UUID:
    return panel.create_cluster()


@pytest.fixture
def path(cluster_id: UUID) -> str:
    return f"/databases/{cluster_id}/settings/configuration"


def read(panel: Panel, cluster_id: UUID) -> Cluster:
    return require_live_cluster(panel.context, cluster_id)


def read_fields(page: str) -> dict[str, str]:
    """All fields of the form as a browser would send them."""
    page = page.partition('id="configuration-form"')[2]
    fields = {name: html.unescape(text) for name, text in _FIELD.findall(page)}
    for name, options in _SELECT.findall(page):
        chosen = _CHOSEN.search(options)
        fields[name] = html.unescape(chosen[1]) if chosen else ""
    return fields


def read_error(page: str, name: str) -> str:
    found = re.search(rf'<p class="error" id="error-{re.escape(name)}">([^<]*)</p>', page)
    assert found, f"no error beside {name}"
    return html.unescape(found[1])


def send(panel: Panel, path: str, **changes: str) -> tuple[int, str]:
    """Change some fields of the form, and send all of it. Two underscores are a dot."""
    browser = panel.browse_as(READ, UPDATE)
    fields = read_fields(browser.get(path).text)
    named = {name.replace("__", "."): text for name, text in changes.items()}
    assert named.keys() <= fields.keys()
    answer = browser.send(path, fields | named)
    if answer.status_code == 303:
        return 303, browser.get(answer.headers["location"]).text
    return answer.status_code, answer.text


def test_every_setting_is_there_with_its_value_and_what_it_may_be(panel: Panel, path: str) -> None:
    page = panel.browse_as(READ, UPDATE).get(path).text
    fields = read_fields(page)
    # PostgreSQL 15 has them all.
    assert {name for name in fields if not name.startswith("was:")} - {"csrf"} == OPTIONS.keys()
    assert not [name for name in OPTIONS if fields[name] or fields[f"was:{name}"]]
    assert 'placeholder="default: 600"' in page
    assert "A whole number, 0 to 86400 (s)." in page
    assert page.count("after a restart") == sum(option.restart for option in OPTIONS.values())
    assert "it follows the cluster&#39;s size; resize that" in page.replace(
        "It follows", "it follows"
    )


def test_who_may_only_read_sees_values_and_no_form(panel: Panel, path: str) -> None:
    page = panel.browse_as(READ).get(path).text
    assert "Now <code>600</code>" in page
    assert "configuration-form" not in page
    assert 'name="jit"' not in page


def close_window(panel: Panel, cluster_id: UUID) -> None:
    """No restart is near, whenever that is asked."""
    far = DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]
    set_window(panel.context, "test", cluster_id, parse_window(far, "03:00"))


def test_only_what_was_changed_is_sent(panel: Panel, cluster_id: UUID, path: str) -> None:
    close_window(panel, cluster_id)
    status, page = send(
        panel,
        path,
        work_mem=" 12 ",
        jit="false",
        autovacuum_vacuum_scale_factor="0.05",
        pgbouncer__server_idle_timeout="120",
        pgbouncer__ignore_startup_parameters="search_path",
        max_worker_processes="16",
    )
    assert status == 303
    assert read(panel, cluster_id).config == {
        "work_mem": 12,
        "jit": False,
        "autovacuum_vacuum_scale_factor": 0.05,
        "pgbouncer": {"server_idle_timeout": 120, "ignore_startup_parameters": ["search_path"]},
        "max_worker_processes": 16,
    }
    assert re.search(
        r"At the restart of PostgreSQL, \w+ \d\d \w+, \d\d:\d\d UTC: max_worker_processes\.", page
    )
    assert "work_mem = 12" in page
    assert "Now <code>120</code>, default <code>600</code>" in page
    assert "Wanted <code>16</code>" in page
    assert "Now <code>extra_float_digits, search_path</code>" in page


@pytest.mark.parametrize("is_open", [True, False])
def test_it_is_said_when_a_change_is_in_force_and_what_the_restart_does(
    panel: Panel, cluster_id: UUID, path: str, is_open: bool
) -> None:
    opening = datetime.now(UTC) - timedelta(hours=0 if is_open else 24)
    window = parse_window(DAYS[opening.weekday()], f"{opening:%H}:00")
    set_window(panel.context, "test", cluster_id, window)
    page = panel.browse_as(READ, UPDATE).get(path).text
    next_time = f"{opening + timedelta(days=7):%A %d %B, %H}:00 UTC"
    when = "maintenance window that is open now" if is_open else f"maintenance window, {next_time}"
    assert f'data-restart="at PostgreSQL’s restart in the {when}' in page
    assert 'data-effect="restart" data-text="max_wal_senders' in page
    assert 'data-effect="live" data-text="work_mem' in page
    assert "Who is left after that is cut" in page
    told = send(panel, path, max_wal_senders="21", work_mem="12")[1]
    assert "In force: work_mem." in told
    when = "in the maintenance window that is open now" if is_open else next_time
    assert f"At the restart of PostgreSQL, {when}: max_wal_senders." in told


def test_what_somebody_else_changed_meanwhile_stays(
    panel: Panel, cluster_id: UUID, path: str
) -> None:
    browser = panel.browse_as(READ, UPDATE)
    fields = read_fields(browser.get(path).text)
    patch_config(panel.context, "test", cluster_id, {"work_mem": 7})
    assert browser.send(path, fields | {"deadlock_timeout": "2000"}).status_code == 303
    assert read(panel, cluster_id).config == {"work_mem": 7, "deadlock_timeout": 2000}


@pytest.mark.parametrize("word", ["", "default"])
def test_an_empty_field_is_the_default(
    panel: Panel, cluster_id: UUID, path: str, word: str
) -> None:
    patch = {"work_mem": 7, "deadlock_timeout": 2000, "pgbouncer": {"min_pool_size": 3}}
    patch_config(panel.context, "test", cluster_id, patch)
    assert send(panel, path, work_mem=word, pgbouncer__min_pool_size=word)[0] == 303
    assert read(panel, cluster_id).config == {"deadlock_timeout": 2000}


def test_a_form_without_changes_changes_nothing(panel: Panel, cluster_id: UUID, path: str) -> None:
    before = read(panel, cluster_id)
    status, page = send(panel, path)
    assert (status, read(panel, cluster_id)) == (303, before)
    assert "Nothing was changed." in page


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("work_mem", "much", "must be a whole number, 1 to 1024 (MB)"),
        ("work_mem", "1.5", "must be a whole number"),
        ("work_mem", "9" * 17, "must be a whole number"),
        ("autovacuum_vacuum_scale_factor", "2", "must be a number, 0 to 1"),
        ("autovacuum_vacuum_scale_factor", "nan", "must be a number, 0 to 1"),
        ("jit", "perhaps", "must be true or false"),
        ("timezone", "Middle/Earth", "the zone database has none of that name"),
        ("wal_sender_timeout", "77", "0, or 5000"),
        ("pgbouncer.ignore_startup_parameters", "options", "must be a list of"),
        ("timezone", '"><img src=x>', "the zone database has none"),
    ],
)
def test_what_cannot_be_is_said_beside_the_setting_and_nothing_is_lost(
    panel: Panel, cluster_id: UUID, path: str, name: str, text: str, says: str
) -> None:
    field = {name.replace(".", "__"): text}
    status, page = send(panel, path, deadlock_timeout="2000", **field)
    assert status == 422
    assert says in read_error(page, name)
    assert "<img src=x" not in page
    fields = read_fields(page)
    assert (fields[name], fields["deadlock_timeout"]) == (text, "2000")
    assert fields["was:deadlock_timeout"] == ""
    assert read(panel, cluster_id).config == {}


def test_tables_of_locks_that_do_not_fit_are_said_beside_one_of_them(
    panel: Panel, cluster_id: UUID, path: str
) -> None:
    locks = {"max_locks_per_transaction": "6400", "max_prepared_transactions": "10000"}
    status, page = send(panel, path, **locks)
    assert status == 422
    assert "MB of shared memory" in read_error(page, "max_locks_per_transaction")
    assert read(panel, cluster_id).config == {}


def test_what_postgresql_refuses_is_said_above_the_form(
    panel: Panel, cluster_id: UUID, path: str
) -> None:
    panel.reconciler.refusals["config"] = "PostgreSQL would not have <it>"
    status, page = send(panel, path, work_mem="12")
    assert status == 422
    assert "PostgreSQL would not have &lt;it&gt;" in page
    assert read_fields(page)["work_mem"] == "12"
    assert read(panel, cluster_id).config == {}


def list_hidden(page: str) -> Mapping[str, bool]:
    found = re.findall(
        r'<div class="setting[^"]*" data-effect="[a-z]+" data-text="(\S+) [^"]*"( hidden)?>', page
    )
    return {name: bool(hidden) for name, hidden in found}


def test_settings_are_found_by_name_and_meaning(panel: Panel, path: str) -> None:
    browser = panel.browse_as(READ, UPDATE)
    hidden = list_hidden(browser.get(f"{path}?q=Idle+TIMEOUT").text)
    shown = {name for name in hidden if not hidden[name]}
    assert "pgbouncer.server_idle_timeout" in shown
    assert "idle_in_transaction_session_timeout" in shown
    assert "work_mem" not in shown and "work_mem" in hidden
    page = browser.get(f"{path}?q=%22%3E%3Cimg%20src=x%3E").text
    assert all(list_hidden(page).values())
    assert "<img src=x" not in page
    assert re.search(r'id="nothing-found">', page)


def test_a_wrong_setting_is_shown_whatever_is_looked_for(panel: Panel, path: str) -> None:
    status, page = send(panel, f"{path}?q=autovacuum", work_mem="much")
    assert status == 422
    assert list_hidden(page)["work_mem"] is False
    assert list_hidden(page)["jit"] is True
    assert f'action="{path}?q=autovacuum"' in page


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_every_default_is_read_as_it_is_shown(name: str) -> None:
    option = OPTIONS[name]
    if option.default is not None:
        assert parse(option, show(option.default)) == option.default
