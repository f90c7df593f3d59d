"""PgBouncer's files, compared as whole texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Ports
from poolkeeper.domain.entries import Entry
from poolkeeper.domain.errors import InvalidRequest
from poolkeeper.domain.names import parse_pool_name
from poolkeeper.domain.pools import PoolMode
from poolkeeper.domain.scram import make_verifier
from poolkeeper.domain.users import Role, User
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.render import (
    PoolerSettings,
    render_main,
    render_users,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "pgbouncer"
PATHS = ClusterPaths.of(
    Path("/var/lib/poolkeeper"), UUID("0d6b1c1e-7a52-4b8e-9f53-2f6f0c3b9a11"), Ports(25060)
)
SETTINGS = PoolerSettings(
    listen="127.0.0.1",
    listen_port=25061,
    postgres_port=25060,
    max_client_conn=10000,
    query_wait_timeout=120,
)
CONFIG = {
    "server_reset_query_always": True,
    "ignore_startup_parameters": ["search_path"],
    "min_pool_size": 2,
    "server_lifetime": 900,
    "server_idle_timeout": 0,
    "autodb_pool_mode": "transaction",
}
ENTRIES = [
    Entry("web", "defaultdb", "doadmin", PoolMode.TRANSACTION, 10),
    Entry("jobs", "My-Jobs", None, PoolMode.SESSION, 3),
    Entry("all", "o'brien", "all", PoolMode.STATEMENT, 1),
    Entry("old-web", "defaultdb", "doadmin", PoolMode.TRANSACTION, 5, accepts_logins=False),
]
USERS = [
    User(name, Role.NORMAL, "secret", make_verifier("secret", bytes(16)), 1)
    for name in ("doadmin", 'Odd"Name', "all")
]

DELETED = replace(USERS[0], name="gone", deleted=True)


def render(name: str) -> str:
    if name == "pgbouncer.ini":
        return render_main(PATHS, SETTINGS, ENTRIES)
    if name == "empty.ini":
        return render_main(PATHS, SETTINGS, [])
    if name == "configured.ini":
        return render_main(PATHS, replace(SETTINGS, config={"pgbouncer": CONFIG}), ENTRIES)
    return render_users([*USERS, DELETED], "console-password")


@pytest.mark.parametrize("name", ["pgbouncer.ini", "empty.ini", "configured.ini", "userlist.txt"])
def test_the_whole_text_is_as_agreed(name: str) -> None:
    assert render(name) == (GOLDEN / name).read_text()


def test_the_text_does_not_depend_on_the_order_of_the_pools() -> None:
    assert render_main(PATHS, SETTINGS, ENTRIES) == render_main(PATHS, SETTINGS, ENTRIES[::-1])


def test_another_certificate_is_another_text_and_no_other_setting() -> None:
    first, second = (
        render_main(PATHS, replace(SETTINGS, certificate=digest), ENTRIES)
        for digest in ("aa", "bb")
    )
    assert first != second
    plain = render_main(PATHS, SETTINGS, ENTRIES).splitlines()
    for text in (first, second):
        added = [line for line in text.splitlines() if line not in plain]
        assert len(added) == 1
        assert added[0].startswith(";")


def test_no_password_stands_in_a_file() -> None:
    text = render_users(USERS, "console-password")
    assert "secret" not in text
    assert "console-password" not in text


@pytest.mark.parametrize(
    "name",
    [
        *('"; drop', "a=b", "new\nline", "two words", "semi;colon", "quo'te", 'quo"te'),
        *(
            "[section]",
            "*",
            "%include",
            "ab",
            "",
            "x" * 64,
            "-lead",
            "ünicode",
            "tab\tbed",
            "nul\0",
        ),
        *("pgbouncer", "a,b", "back\\slash", "#hash", "trailing\n"),
    ],
)
def test_a_name_that_could_mean_something_to_pgbouncer_never_gets_there(name: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_pool_name(name)
