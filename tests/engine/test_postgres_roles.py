"""Roles, and what they may do, as clients and as the superuser see it."""

import contextlib
from dataclasses import replace

import psycopg
import pytest
from psycopg import errors, sql

from poolkeeper.engine.postgres import databases, roles
from poolkeeper.engine.postgres.connections import Connection
from tests.engine.servers import ODD_USER, Postgres, ask, make_user


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
