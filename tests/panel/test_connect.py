"""Connection details: who sees what, and that each format says the same whatever is in it."""

from __future__ import annotations

import ast
import html
import json
import re
import shlex
from urllib.parse import unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from poolkeeper.domain.connection_formats import write_psql, write_uri
from poolkeeper.domain.connections import Connection
from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.tokens import READ, VIEW_CREDENTIALS
from poolkeeper.panel.connection_details import HIDDEN, describe_connection
from poolkeeper.usecases.pools import create_pool
from poolkeeper.usecases.users import create_user, get_user
from tests.panel.browsing import Panel

ODD = "p\"w'd $(x) `y` \\ %&@:/?#[]<%= 1 %> é😀"
MODES = (None, *PoolMode)

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


def add_pool(panel: Panel, user: str | None = "app") -> UUID:
    cluster_id = panel.create_cluster()
    create_user(panel.context, "test", cluster_id, "app")
    shape = PoolShape("defaultdb", user, PoolMode.TRANSACTION, 3)
    create_pool(panel.context, "test", cluster_id, "web", shape)
    return cluster_id


def read_texts(page: str) -> dict[str, str]:
    """What the copy buttons copy, by format and driver."""
    found = re.findall(r'id="text-([\w-]+)" data-value="([^"]*)"', page)
    return {key: html.unescape(text) for key, text in found}


def test_a_pool_has_every_format_and_driver(panel: Panel) -> None:
    cluster_id = add_pool(panel)
    password = get_user(panel.context, cluster_id, "app").password
    answer = panel.browse_as(READ, VIEW_CREDENTIALS).get(
        f"/databases/{cluster_id}/pools/web/connect"
    )
    assert answer.headers["cache-control"] == "no-store"
    found = read_texts(answer.text)
    assert list(found) == [
        *("parameters", "string", "flags", "psycopg", "sqlalchemy", "django", "asyncpg"),
        *("node-postgres", "prisma", "jdbc", "pgx", "rails"),
    ]
    assert all(password in text for text in found.values())
    assert found["string"] == (
        f"postgresql://app:{password}@db.example:25061/web"
        "?sslmode=verify-full&sslrootcert=poolkeeper-ca.crt"
    )
    assert found["flags"] == (
        f"PGPASSWORD={password} PGSSLMODE=verify-full PGSSLROOTCERT=poolkeeper-ca.crt"
        " psql -U app -h db.example -p 25061 -d web"
    )
    # On the screen there are dots until the box is ticked.
    assert f'class="while-hidden">postgresql://app:{HIDDEN}@' in answer.text
    assert "plain text" in answer.text


def test_what_needs_the_authoritys_file_says_so_beside_it(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    page = panel.browse_as(READ).get(f"/databases/{cluster_id}/connect").text
    snippets = page.count('<div class="snippet">')
    assert snippets == 12
    link = f'<a href="/databases/{cluster_id}/ca.crt" download="poolkeeper-ca.crt">download it</a>'
    assert page.count(link) == snippets


def test_without_the_right_there_is_no_password_anywhere(panel: Panel) -> None:
    cluster_id = add_pool(panel)
    passwords = [get_user(panel.context, cluster_id, name).password for name in ("app", "doadmin")]
    browser = panel.browse_as(READ)
    for path in ("pools/web/connect", "connect", "connect?user=app", "pools"):
        page = browser.get(f"/databases/{cluster_id}/{path}").text
        assert not any(password in page for password in passwords), path
    page = browser.get(f"/databases/{cluster_id}/pools/web/connect").text
    assert "your token may not see passwords" in page
    assert "postgresql://app:YOUR_PASSWORD@" in read_texts(page)["string"]
    assert "PGPASSWORD" not in read_texts(page)["flags"]
    assert "Show the password" not in page


def test_a_pool_of_inbound_users_asks_who(panel: Panel) -> None:
    cluster_id = add_pool(panel, user=None)
    browser = panel.browse_as(READ, VIEW_CREDENTIALS)
    path = f"/databases/{cluster_id}/pools/web/connect"
    page = browser.get(path).text
    assert "postgresql://YOUR_USER:YOUR_PASSWORD@" in read_texts(page)["string"]
    assert "every user of the cluster may log in" in page
    password = get_user(panel.context, cluster_id, "app").password
    chosen = read_texts(browser.get(f"{path}?user=app").text)["string"]
    assert f"postgresql://app:{password}@" in chosen


def test_a_pool_of_one_user_does_not_lend_itself_to_others(panel: Panel) -> None:
    cluster_id = add_pool(panel)
    browser = panel.browse_as(READ, VIEW_CREDENTIALS)
    page = browser.get(f"/databases/{cluster_id}/pools/web/connect?user=doadmin").text
    assert get_user(panel.context, cluster_id, "doadmin").password not in page


def test_the_direct_connection(panel: Panel) -> None:
    cluster_id = add_pool(panel)
    browser = panel.browse_as(READ, VIEW_CREDENTIALS)
    path = f"/databases/{cluster_id}/connect"
    assert "@db.example:25060/defaultdb?" in read_texts(browser.get(path).text)["string"]
    odd = read_texts(browser.get(f"{path}?user=<b>&db=nowhere").text)["string"]
    assert odd.startswith("postgresql://doadmin:") and "/defaultdb?" in odd


def test_the_certificate_of_the_authority_is_a_file(panel: Panel) -> None:
    object.__setattr__(panel.context, "ca_certificate", "-----BEGIN CERTIFICATE-----\n")
    cluster_id = panel.create_cluster()
    answer = panel.browse_as(READ).get(f"/databases/{cluster_id}/ca.crt")
    assert answer.text == "-----BEGIN CERTIFICATE-----\n"
    assert 'filename="poolkeeper-ca.crt"' in answer.headers["content-disposition"]
    assert panel.browse().get(f"/databases/{cluster_id}/ca.crt").status_code == 303


@given(texts, texts, texts, st.sampled_from(["db.example", "10.0.0.1", "::1"]))
def test_libpq_and_the_shell_read_back_what_was_put_in(
    user: str, password: str, database: str, host: str
) -> None:
    connection = Connection(host, 25061, database, user, password)
    read = conninfo_to_dict(write_uri(connection))
    assert (read["user"], read["password"], read["dbname"]) == (user, password, database)
    assert (read["host"], read["port"]) == (host, "25061")
    words = shlex.split(write_psql(connection))
    assert words[0] == f"PGPASSWORD={password}"
    assert words[4:] == ["-U", user, "-h", host, "-p", "25061", "-d", database]


@pytest.mark.parametrize("mode", MODES)
def test_odd_characters_are_quoted_in_every_language(mode: PoolMode | None) -> None:
    details = describe_connection(Connection("db.example", 25061, "web", "a.b", ODD), mode)
    code = {text.key: text.text for text in details.snippets}
    for driver in ("psycopg", "sqlalchemy", "django", "asyncpg"):
        literals = [
            node.value
            for node in ast.walk(ast.parse(code[driver]))
            if isinstance(node, ast.Constant)
        ]
        assert ODD in literals, driver
    for driver in ("node-postgres", "jdbc"):
        assert json.dumps(ODD, ensure_ascii=False) in code[driver], driver
    for driver in ("prisma", "pgx"):
        found = re.search(r'"(postgresql://[^"]*)"', code[driver])
        assert found and unquote(urlsplit(found[1]).password or "") == ODD, driver
    assert "<%%= 1 %>" in code["rails"]
    shown = [*details.formats, *details.snippets]
    assert not any(ODD in text.hidden or "p%22w" in text.hidden for text in shown)
    assert all(HIDDEN in text.hidden for text in shown)


def test_markup_stays_text(panel: Panel) -> None:
    cluster_id = add_pool(panel)
    odd = '"><script>alert(1)</script>'
    object.__setattr__(panel.context, "public_host", odd)
    page = panel.browse_as(READ, VIEW_CREDENTIALS).get(f"/databases/{cluster_id}/pools/web/connect")
    assert "<script>alert" not in page.text
    assert odd in read_texts(page.text)["parameters"]


def test_advice_fits_the_mode() -> None:
    connection = Connection("h", 1, "web", "u", "p")
    by_mode = {
        mode: {text.key: text for text in describe_connection(connection, mode).snippets}
        for mode in MODES
    }
    assert "DISABLE_SERVER_SIDE_CURSORS" in by_mode[PoolMode.TRANSACTION]["django"].text
    assert "DISABLE_SERVER_SIDE_CURSORS" not in by_mode[PoolMode.SESSION]["django"].text
    assert "autocommit=True" in by_mode[PoolMode.STATEMENT]["psycopg"].text
    assert "advisory_locks: false" in by_mode[PoolMode.TRANSACTION]["rails"].text
    assert "directUrl" not in by_mode[None]["prisma"].text
    assert all(not text.notes or key == "prisma" for key, text in by_mode[None].items())
