"""What PostgreSQL would say of a configuration, and what it needs for its data."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from poolkeeper.engine.files import write_if_changed
from poolkeeper.engine.postgres import server
from poolkeeper.engine.postgres.configuration import find_fault, find_floors
from poolkeeper.engine.processes import signal_process, wait_gone
from tests.engine.servers import Postgres

NOTHING = {"max_replication_slots": 0, "max_prepared_transactions": 0}


@pytest.fixture
def started(mortal: Postgres) -> Iterator[Postgres]:
    mortal.start()
    yield mortal
    server.stop(mortal.paths, timeout=60, mode="immediate")


def judge(postgres: Postgres, addition: str) -> str | None:
    """What is said of the server's own file with lines added."""
    text = postgres.paths.postgres_conf.read_text() + addition
    fault = find_fault(postgres.paths, postgres.installation, postgres.processes, text)
    assert not list(postgres.paths.root.glob("*candidate*"))
    return fault


def find(postgres: Postgres, *, is_running: bool) -> dict[str, int]:
    return find_floors(
        postgres.paths, postgres.installation, postgres.processes, is_running=is_running
    )


def test_faults_are_told_in_postgresqls_words(started: Postgres) -> None:
    before = started.paths.postgres_conf.read_text()
    assert judge(started, "") is None
    assert judge(started, "work_mem = 8MB\n") is None
    told = judge(started, "autovacuum_naptime = 0s\ntimezone = 'Nowhere'\n")
    assert told is not None
    assert 'outside the valid range for parameter "autovacuum_naptime"' in told
    assert 'invalid value for parameter "TimeZone": "Nowhere"' in told
    assert "contains errors" not in told
    assert "syntax error" in (judge(started, "work_mem\n= 3\n") or "")
    assert "unrecognized configuration parameter" in (judge(started, "work_men = 1\n") or "")
    assert started.paths.postgres_conf.read_text() == before


def test_a_stack_deeper_than_the_system_allows_is_a_fault(started: Postgres) -> None:
    told = judge(started, "max_stack_depth = 1TB\n") or ""
    assert "max_stack_depth" in told


def test_floors_of_a_server_that_has_nothing(started: Postgres) -> None:
    assert find(started, is_running=True) == NOTHING
    server.stop(started.paths, timeout=60)
    assert find(started, is_running=False) == NOTHING


def test_slots_are_counted(started: Postgres) -> None:
    with started.superuser() as connection:
        for number in range(3):
            connection.execute(f"SELECT pg_create_physical_replication_slot('s{number}')")
        assert find(started, is_running=True)["max_replication_slots"] == 3
        connection.execute("SELECT pg_drop_replication_slot('s0')")
    assert find(started, is_running=True)["max_replication_slots"] == 2
    server.stop(started.paths, timeout=60)
    assert find(started, is_running=False)["max_replication_slots"] == 2


def test_prepared_transactions_are_counted_also_after_a_crash(mortal: Postgres) -> None:
    text = mortal.paths.postgres_conf.read_text() + "max_prepared_transactions = 7\n"
    write_if_changed(mortal.paths.postgres_conf, text, owner=mortal.processes.account)
    facts = mortal.start()
    with mortal.superuser() as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE public.kept ()")
        connection.execute("PREPARE TRANSACTION 'kept'")
    signal_process(facts, signal.SIGKILL)
    assert wait_gone(facts, 60)
    # It stands in the write-ahead log alone: as many as were allowed may.
    assert find(mortal, is_running=False)["max_prepared_transactions"] == 7
    mortal.start()
    server.stop(mortal.paths, timeout=60)
    assert find(mortal, is_running=False)["max_prepared_transactions"] == 1
