"""Who may log in, as PgBouncer's and PostgreSQL's files say it, compared as whole texts.

After a change that is meant: POOLKEEPER_GOLDEN=write.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from poolkeeper.domain.entries import Entry
from poolkeeper.domain.firewall import EVERYWHERE, Network
from poolkeeper.domain.pools import PoolMode
from poolkeeper.engine.pgbouncer import hba as pgbouncer
from poolkeeper.engine.postgres import hba as postgres

GOLDEN = Path(__file__).parents[1] / "golden"
NETWORKS: list[Network] = [IPv4Network("10.0.0.0/8"), IPv6Network("2001:db8:aaaa:bbbb:cccc::/80")]
ENTRIES = [
    Entry("web", "defaultdb", "doadmin", PoolMode.TRANSACTION, 10),
    Entry("mail", "defaultdb", "doadmin", PoolMode.TRANSACTION, 2),
    Entry("jobs", "My-Jobs", None, PoolMode.SESSION, 3),
    Entry("all", "o'brien", "all", PoolMode.STATEMENT, 1),
    Entry("replication", "defaultdb", 'Odd"Name', PoolMode.STATEMENT, 1),
    Entry("old-web", "defaultdb", "doadmin", PoolMode.TRANSACTION, 5, accepts_logins=False),
]


@pytest.mark.parametrize(
    ("name", "networks"), [("open", None), ("rules", NETWORKS), ("nobody", [])]
)
def test_the_whole_text_is_as_agreed(name: str, networks: list[Network] | None) -> None:
    suffix = "" if networks is None else f"-{name}"
    compare(f"pgbouncer/pgbouncer_hba{suffix}.conf", pgbouncer.render_hba(ENTRIES, networks))
    compare(f"postgres/pg_hba{suffix}.conf", postgres.render_hba(networks))


def compare(name: str, text: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("POOLKEEPER_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()


def test_the_text_does_not_depend_on_the_order_of_the_pools() -> None:
    text = pgbouncer.render_hba(ENTRIES, NETWORKS)
    assert text == pgbouncer.render_hba(ENTRIES[::-1], NETWORKS)


def test_no_rules_mean_everywhere() -> None:
    assert pgbouncer.render_hba(ENTRIES, None) == pgbouncer.render_hba(ENTRIES, EVERYWHERE)
    assert postgres.render_hba(None) == postgres.render_hba(EVERYWHERE)


def test_many_pools_of_one_user_take_a_line_for_each_network() -> None:
    pools = [Entry(f"pool-{n}", "defaultdb", "app", PoolMode.SESSION, 1) for n in range(500)]
    networks = [IPv4Network(f"10.{n}.0.0/16") for n in range(0, 200, 2)]
    lines = pgbouncer.render_hba(pools, networks).splitlines()
    assert sum(line.startswith("hostssl ") for line in lines) == 100


@pytest.mark.parametrize("networks", [None, NETWORKS, []])
def test_the_superuser_is_rejected_before_anybody_is_let_in(
    networks: list[Network] | None,
) -> None:
    rules = [line.split() for line in postgres.render_hba(networks).splitlines()]
    rules = [rule for rule in rules if rule and rule[0].startswith("host")]
    for database in ("all", "replication"):
        about = [rule for rule in rules if rule[1] == database]
        assert [rule[2:] for rule in about[:2]] == [
            ["poolkeeper", "0.0.0.0/0", "reject"],
            ["poolkeeper", "::/0", "reject"],
        ]
        assert len(about) == 2 + len(EVERYWHERE if networks is None else networks)
