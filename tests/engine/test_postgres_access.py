"""Who may come in, and what is never written down."""

import psycopg
import pytest

from poolkeeper.domain.users import Role
from poolkeeper.engine.postgres import roles
from poolkeeper.engine.postgres.connections import Connection
from tests.engine.servers import ODD_USER, QUOTED_USER, Postgres, ask, make_user
from tests.plane import wait_until


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
    # Another process writes the log, in the order in which it is told.
    wait_until("the last is written", lambda: "RESET log_statement" in postgres.read_logs())
    written = postgres.read_logs()
    assert "CREATE ROLE" in written
    assert "secret" not in written.replace("secretive", "")
    assert user.role == Role.NORMAL
    kept = "SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%%secret-%%'"
    assert ask(doadmin, kept) == 0
