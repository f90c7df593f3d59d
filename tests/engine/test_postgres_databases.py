"""Databases, and the backends in them."""

import contextlib

import psycopg
import pytest

from poolkeeper.engine.postgres import backends, databases
from poolkeeper.engine.postgres.connections import Connection
from tests.engine.servers import Postgres, ask
from tests.plane import wait_until


@pytest.mark.parametrize("name", ["Sales-2026", "a.b", 'x"; DROP DATABASE defaultdb; --'])
def test_databases_come_and_go(postgres: Postgres, superuser: Connection, name: str) -> None:
    assert databases.ensure_database(superuser, name)
    assert not databases.ensure_database(superuser, name)
    assert databases.list_databases(superuser)[name].owner == "doadmin"
    with contextlib.closing(postgres.login("app", name)) as connection:
        databases.drop_database(superuser, name)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    databases.drop_database(superuser, name)
    assert name not in databases.list_databases(superuser)


def test_a_database_that_is_replicated_from_is_dropped(
    postgres: Postgres, superuser: Connection
) -> None:
    databases.ensure_database(superuser, "streamed")
    with contextlib.closing(postgres.login("doadmin", "streamed", replication="database")) as line:
        line.execute("CREATE_REPLICATION_SLOT s LOGICAL pgoutput")
        line.pgconn.send_query(
            b"START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', publication_names 'p')"
        )
        active = "SELECT active FROM pg_replication_slots"
        wait_until("the slot is being read", lambda: ask(superuser, active))
        databases.drop_database(superuser, "streamed")
    assert ask(superuser, "SELECT count(*) FROM pg_replication_slots") == 0


def test_statistics_of_statements_are_kept(postgres: Postgres, doadmin: psycopg.Connection) -> None:
    with postgres.login("app") as connection:
        connection.execute("SELECT 12345 AS looked_for")
    found = "SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE '%%looked_for'"
    assert ask(doadmin, found) == 1
    with postgres.superuser("defaultdb") as connection:
        assert not databases.ensure_statistics(connection)


def test_settings_of_an_owner_do_not_bind_the_superuser(
    postgres: Postgres, doadmin: psycopg.Connection
) -> None:
    doadmin.execute("ALTER DATABASE defaultdb SET default_transaction_read_only = on")
    doadmin.execute("ALTER DATABASE defaultdb SET search_path = planted")
    doadmin.execute("ALTER DATABASE defaultdb SET statement_timeout = 1")
    try:
        with postgres.superuser("defaultdb") as connection:
            assert ask(connection, "SHOW search_path") == ""
            assert ask(connection, "SHOW statement_timeout") == "5min"
            connection.execute("CREATE TABLE public.written ()")
            connection.execute("DROP TABLE public.written")
    finally:
        doadmin.execute("ALTER DATABASE defaultdb RESET ALL")


def test_a_dead_poolers_backends_are_ended_and_no_others(
    postgres: Postgres, superuser: Connection
) -> None:
    of_tests_before = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"
    wait_until("they are gone", lambda: ask(superuser, of_tests_before) == 0)
    with contextlib.ExitStack() as stack:
        pooled = [stack.enter_context(contextlib.closing(postgres.peer("app"))) for _ in range(3)]
        direct = stack.enter_context(contextlib.closing(postgres.login("app")))
        assert backends.terminate_pool_backends(superuser, [pooled[0].info.backend_pid]) == 1
        assert backends.terminate_pool_backends(superuser, [direct.info.backend_pid]) == 0
        assert backends.terminate_pool_backends(superuser) == 2
        assert backends.terminate_pool_backends(superuser) == 0
        for connection in pooled:
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        assert ask(direct, "SELECT 1") == 1


def test_a_query_whose_client_is_gone_is_stopped(postgres: Postgres, superuser: Connection) -> None:
    if superuser.info.server_version < 140000:
        pytest.skip("PostgreSQL looks after its clients from 14 on")
    client = postgres.peer("app")
    client.pgconn.send_query(b"SELECT pg_sleep(300)")
    running = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state = 'active'"
    wait_until("it runs", lambda: ask(superuser, running) == 1)
    client.close()
    wait_until("it is stopped", lambda: ask(superuser, running) == 0)
