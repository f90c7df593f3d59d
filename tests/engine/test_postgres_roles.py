"""Roles, databases and who may come in, as clients and as the superuser see it."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest
from psycopg import errors, sql

from poolkeeper.domain.users import Role
from poolkeeper.engine.postgres import backends, databases, roles
from poolkeeper.engine.postgres.connections import Connection
from tests.engine.servers import ODD_USER, QUOTED_USER, Postgres, make_user
from tests.plane import wait_until


@pytest.fixture
def superuser(postgres: Postgres) -> Iterator[Connection]:
    with postgres.superuser() as connection:
        yield connection


@pytest.fixture
def doadmin(postgres: Postgres) -> Iterator[psycopg.Connection]:
    with postgres.login("doadmin") as connection:
        yield connection


@pytest.fixture
def opened(postgres: Postgres) -> Callable[[str], Connection]:
    return postgres.superuser


def ask(connection: psycopg.Connection, question: str, *parameters: object) -> object:
    row = connection.execute(question, parameters).fetchone()  # type: ignore[arg-type]
    return row and row[0]


# --- who may come in


@pytest.mark.parametrize("name", ["doadmin", "app", ODD_USER, QUOTED_USER])
def test_users_log_in_with_tls_verified_in_full(postgres: Postgres, name: str) -> None:
    with postgres.login(name) as connection:
        assert ask(connection, "SELECT current_user") == name
        tls = "SELECT ssl AND version >= 'TLSv1.2' FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert ask(connection, tls) is True


def test_the_address_is_verified_too(postgres: Postgres) -> None:
    postgres.login("app", host="127.0.0.1").close()
    with pytest.raises(psycopg.OperationalError, match=r"certificate.* does not match"):
        postgres.login("app", host="elsewhere.test", hostaddr="127.0.0.1")


def test_nobody_comes_over_the_network_without_tls(postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        postgres.login("app", sslmode="disable")


def test_the_superuser_does_not_come_over_the_network(postgres: Postgres) -> None:
    for sslmode in ("require", "disable"):
        with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"):
            postgres.login("poolkeeper", password=postgres.password, sslmode=sslmode)


def test_a_wrong_password_is_refused(postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgres.login("app", password="wrong")


def test_pgbouncer_comes_as_each_user_without_a_password(postgres: Postgres) -> None:
    for name in ("doadmin", ODD_USER, QUOTED_USER):
        with postgres.peer(name) as connection:
            assert ask(connection, "SELECT current_user") == name
    for name in ("poolkeeper", "pg_monitor", "stranger"):
        with pytest.raises(psycopg.OperationalError, match=r"no password|[Pp]eer auth"):
            postgres.peer(name)


# --- roles


def test_roles_are_set_up_once(postgres: Postgres, superuser: Connection) -> None:
    assert roles.apply_roles(superuser, postgres.users) == []
    for user in postgres.users:
        assert roles.apply_roles(superuser, [user]) == []
    found = roles.list_roles(superuser)
    assert found["doadmin"].attributes == {"LOGIN", "CREATEDB", "CREATEROLE", "REPLICATION"}
    assert found["app"].attributes == {"LOGIN"}
    assert found["poolkeeper"].attributes >= {"LOGIN", "SUPERUSER"}


def test_what_differs_is_put_right_and_the_rest_stays(
    postgres: Postgres, superuser: Connection
) -> None:
    superuser.execute("ALTER ROLE app NOLOGIN REPLICATION CREATEDB PASSWORD NULL")
    assert roles.apply_roles(superuser, postgres.users) == ["app"]
    assert roles.list_roles(superuser)["app"].attributes == {"LOGIN", "CREATEDB"}
    postgres.login("app").close()
    superuser.execute("ALTER ROLE app NOCREATEDB")


def test_a_new_password_and_replication(postgres: Postgres, superuser: Connection) -> None:
    user = next(user for user in postgres.users if user.name == "app")
    other = make_user("another")
    changed = replace(user, verifier=other.verifier, allow_replication=True)
    assert roles.apply_roles(superuser, [changed]) == ["app"]
    try:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            postgres.login("app")
        postgres.login("app", password=other.password).close()
        with postgres.login("app", password=other.password, replication="database") as walsender:
            walsender.execute("IDENTIFY_SYSTEM")
    finally:
        assert roles.apply_roles(superuser, [user]) == ["app"]
    with pytest.raises(psycopg.OperationalError, match=r"permission denied|must be superuser"):
        postgres.login("app", replication="database")


def test_doadmin_is_no_superuser(doadmin: psycopg.Connection) -> None:
    assert ask(doadmin, "SHOW is_superuser") == "off"
    for statement in (
        "ALTER ROLE doadmin SUPERUSER",
        "CREATE ROLE other SUPERUSER",
        "GRANT poolkeeper TO doadmin",
        "ALTER ROLE poolkeeper PASSWORD 'x'",
        "DROP ROLE poolkeeper",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER SYSTEM SET port = 1",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            doadmin.execute(statement)


@pytest.mark.parametrize(
    "role", ["pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"]
)
def test_doadmin_does_not_become_the_servers_account(
    doadmin: psycopg.Connection, role: str
) -> None:
    """Up to PostgreSQL 15, CREATEROLE alone would allow it."""
    for statement in (
        f"GRANT {role} TO doadmin",
        f"GRANT {role} TO app",
        f"CREATE ROLE other IN ROLE {role}",
        f"SET ROLE {role}",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/x'",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            doadmin.execute(statement)


def test_doadmin_administers(postgres: Postgres, doadmin: psycopg.Connection) -> None:
    doadmin.execute("CREATE ROLE maker LOGIN PASSWORD 'secret-maker'")
    # Of what it makes itself, PostgreSQL 13 to 15 ask it to become a member first.
    doadmin.execute("GRANT maker TO doadmin")
    doadmin.execute("CREATE DATABASE made OWNER maker")
    with postgres.login("maker", "made", password="secret-maker") as connection:
        connection.execute("CREATE TABLE t (x int)")
    doadmin.execute("GRANT pg_monitor TO maker")
    doadmin.execute(sql.SQL("GRANT maker TO {}").format(sql.Identifier(ODD_USER)))
    with postgres.login("app") as connection:
        pid = connection.info.backend_pid
        assert ask(doadmin, "SELECT state FROM pg_stat_activity WHERE pid = %s", pid) == "idle"
        assert ask(doadmin, "SELECT pg_terminate_backend(%s)", pid) is True
    doadmin.execute("ALTER DATABASE made OWNER TO app")
    doadmin.execute("DROP DATABASE made")
    doadmin.execute("DROP ROLE maker")
    doadmin.execute("ALTER ROLE app CONNECTION LIMIT 5")
    doadmin.execute("ALTER ROLE app CONNECTION LIMIT -1")
    doadmin.execute("SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
    doadmin.execute("SELECT pg_drop_replication_slot('s')")


def test_a_circle_of_roles_is_left_alone(postgres: Postgres, superuser: Connection) -> None:
    """Somebody made a user a member of doadmin before doadmin could administer it."""
    superuser.execute("CREATE ROLE circle IN ROLE doadmin")
    user = make_user("circle")
    assert roles.apply_roles(superuser, [*postgres.users, user]) == ["circle"]
    assert roles.apply_roles(superuser, [*postgres.users, user]) == []
    roles.drop_user(postgres.superuser, "circle")


def test_who_may_connect(superuser: Connection) -> None:
    assert roles.may_connect(superuser, "app", "defaultdb")
    assert not roles.may_connect(superuser, "app", "missing")
    assert not roles.may_connect(superuser, "missing", "defaultdb")
    superuser.execute("REVOKE CONNECT ON DATABASE defaultdb FROM PUBLIC")
    try:
        assert not roles.may_connect(superuser, "app", "defaultdb")
        assert roles.may_connect(superuser, "doadmin", "defaultdb")
    finally:
        superuser.execute("GRANT CONNECT ON DATABASE defaultdb TO PUBLIC")


# --- databases


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


def test_statistics_of_statements_are_kept(
    postgres: Postgres, doadmin: psycopg.Connection, opened: Callable[[str], Connection]
) -> None:
    with postgres.login("app") as connection:
        connection.execute("SELECT 12345 AS looked_for")
    found = "SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE '%%looked_for'"
    assert ask(doadmin, found) == 1
    with opened("defaultdb") as connection:
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


# --- the end of a user


def test_what_a_dropped_user_owned_is_kept(postgres: Postgres, superuser: Connection) -> None:
    name = "Leaving-User"
    roles.apply_roles(superuser, [make_user(name)])
    databases.ensure_database(superuser, "theirs")
    owner = sql.Identifier(name)
    superuser.execute(sql.SQL("ALTER DATABASE theirs OWNER TO {}").format(owner))
    for database in ("theirs", "defaultdb"):
        with postgres.superuser(database) as connection:
            connection.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(owner))
        with postgres.login(name, database) as connection:
            connection.execute("CREATE TABLE left_behind AS SELECT 42 AS x")
            connection.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app")
            connection.execute("GRANT SELECT ON left_behind TO app")
    with contextlib.closing(postgres.login(name)) as session:
        roles.drop_user(postgres.superuser, name)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    roles.drop_user(postgres.superuser, name)
    assert name not in roles.list_roles(superuser)
    assert databases.list_databases(superuser)["theirs"].owner == "doadmin"
    for database in ("theirs", "defaultdb"):
        with postgres.login("doadmin", database) as connection:
            owns = "SELECT tableowner FROM pg_tables WHERE tablename = 'left_behind'"
            assert ask(connection, owns) == "doadmin"
            assert ask(connection, "SELECT x FROM left_behind") == 42
            connection.execute("DROP TABLE left_behind")
    databases.drop_database(superuser, "theirs")


def test_doadmin_is_never_dropped(postgres: Postgres) -> None:
    with pytest.raises(ValueError, match="doadmin"):
        roles.drop_user(postgres.superuser, "doadmin")


def test_users_to_be_deleted_are_not_made(superuser: Connection) -> None:
    leaving = replace(make_user("never"), deleted=True)
    assert roles.apply_roles(superuser, [leaving]) == []
    assert "never" not in roles.list_roles(superuser)


# --- backends


def test_a_dead_poolers_backends_are_ended_and_no_others(
    postgres: Postgres, superuser: Connection
) -> None:
    with contextlib.ExitStack() as stack:
        pooled = [stack.enter_context(contextlib.closing(postgres.peer("app"))) for _ in range(3)]
        direct = stack.enter_context(contextlib.closing(postgres.login("app")))
        counted = [each for each in backends.count_backends(superuser) if each.user == "app"]
        expected = {True: 3, False: 1}
        assert {each.via_socket: each.backends for each in counted} == expected
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


# --- secrets


def test_no_password_is_ever_in_the_log_or_the_statistics(
    postgres: Postgres, superuser: Connection, doadmin: psycopg.Connection
) -> None:
    superuser.execute("SET log_statement = 'all'")
    user = make_user("secretive")
    roles.apply_roles(superuser, [user])
    for statement in (
        "ALTER ROLE app PASSWORD 'secret-typed' BROKEN",
        "SELECT 'secret-typed' FROM missing",
    ):
        with pytest.raises(psycopg.Error):
            doadmin.execute(statement)
    doadmin.execute("CREATE ROLE typed LOGIN PASSWORD 'secret-typed'")
    doadmin.execute("DROP ROLE typed")
    roles.drop_user(postgres.superuser, "secretive")
    superuser.execute("RESET log_statement")
    written = postgres.read_logs()
    assert "CREATE ROLE" in written
    assert "secret" not in written.replace("secretive", "")
    assert user.role == Role.NORMAL
    kept = "SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%%secret-%%'"
    assert ask(doadmin, kept) == 0
