"""Traps of PgBouncer that others fell into, and what the product does about each.

Those about changes of a pool (shrinking a saturated one, a login in flight, a database that
moves, the CA bundle at RELOAD) are in ``test_live_change``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from typing import Any

import asyncpg
import httpx
import psycopg
import pytest

from poolkeeper.engine.pgbouncer.log import rotate_pooler_log
from tests.e2e.inside import BACKENDS, Inside
from tests.e2e.service import Json, Service, fails_with, log_in_as
from tests.plane import Plane, connect, wait_until

# From when PostgreSQL accepts connections again; the trap's own number is 15 s.
OUTAGE_LIMIT = 12.0


@pytest.fixture(scope="module")
def service(api: httpx.Client, cluster: Json) -> Service:
    return Service(api, cluster)


@pytest.fixture(scope="module")
def inside(plane: Plane, service: Service) -> Inside:
    return Inside(plane, service.id)


def ask(client: psycopg.Connection[Any], query: str) -> Any:
    row = client.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def is_lost(client: psycopg.Connection[Any]) -> bool:
    """Whether a client's transaction has ended in an error; its backend may live a moment on."""
    try:
        client.execute("SELECT 1")
    except psycopg.Error:
        return True
    return False


def await_service(inside: Inside, uri: str) -> None:
    """What a client does that tries again and again; it fails if that takes too long once
    PostgreSQL accepts connections. How long its recovery takes is a matter of the machine."""

    def is_served() -> bool:
        with contextlib.suppress(psycopg.Error), connect(uri, connect_timeout=3) as client:
            return bool(ask(client, "SELECT 1") == 1)
        return False

    def is_accepting() -> bool:
        with contextlib.suppress(psycopg.Error), inside.connect():
            return True
        return False

    wait_until("PostgreSQL accepts connections", lambda: is_served() or is_accepting())
    wait_until("clients are served again", is_served, OUTAGE_LIMIT)


# -- server_login_retry --------------------------------------------------------------------------


def test_postgres_restart_is_no_long_outage(service: Service, inside: Inside) -> None:
    """Trap: after one failed login PgBouncer waits ``server_login_retry``, 15 s by default."""
    assert inside.read_setting("server_login_retry") == "1"
    with service.pool("web") as uri, connect(uri) as idle, contextlib.closing(connect(uri)) as busy:
        assert ask(idle, "SELECT 1") == 1
        busy.execute("BEGIN")
        before = inside.read_pid()
        os.kill(before, signal.SIGKILL)
        wait_until("the open transaction is lost", lambda: is_lost(busy))
        await_service(inside, uri)
        assert inside.read_pid() != before
        # It was idle, so it noticed nothing.
        assert ask(idle, "SELECT 1") == 1


def test_postgres_crash_is_no_long_outage(service: Service, inside: Inside) -> None:
    """One backend dies, and PostgreSQL ends all others and recovers."""
    with (
        service.pool("web") as uri,
        connect(uri) as idle,
        contextlib.closing(inside.connect()) as other,
    ):
        pid = ask(idle, "SELECT pg_backend_pid()")
        os.kill(pid, signal.SIGKILL)
        # Until it has noticed, it may serve one more.
        wait_until("PostgreSQL has ended all others", lambda: is_lost(other))
        await_service(inside, uri)
        assert ask(idle, "SELECT 1") == 1


def test_both_servers_killed_at_once(service: Service, inside: Inside) -> None:
    with service.pool("web") as uri:
        os.kill(inside.read_pooler_pid(), signal.SIGKILL)
        os.kill(inside.read_pid(), signal.SIGKILL)
        await_service(inside, uri)


def test_replicas_that_take_all_connections_lock_nobody_out(
    service: Service, cluster: Json
) -> None:
    """The control plane's own are of that kind, so as to take none from the pools."""
    direct = cluster["connection"]["uri"]
    with contextlib.ExitStack() as open_:

        def take() -> None:
            replica = psycopg.connect(direct, replication="database", autocommit=True)
            open_.enter_context(replica)

        def is_refused() -> bool:
            try:
                take()
            except psycopg.OperationalError as error:
                return "max_wal_senders" in str(error)
            return False

        # One of the control plane's own may end just then and leave room for another.
        wait_until("all are taken", lambda: all([is_refused() for _ in range(3)]))
        password = service.create_user("late")
        with service.pool("web", user="late") as uri, connect(uri) as client:
            assert ask(client, "SELECT current_user::text") == "late"
        assert password in uri
        answer = service.api.delete(f"{service.address}/users/late")
        assert answer.status_code == 204, answer.text


# -- a dead PgBouncer ----------------------------------------------------------------------------


def test_a_dead_pooler_comes_back_without_its_orphans(service: Service, inside: Inside) -> None:
    """Trap: what the dead one's clients had running runs on, beside what the new one opens."""
    with (
        service.pool("web", size=3) as uri,
        inside.connect() as superuser,
    ):
        clients = [connect(uri) for _ in range(3)]
        threads = [
            threading.Thread(
                target=lambda client: fails_with(lambda: client.execute("SELECT pg_sleep(600)")),
                args=(client,),
            )
            for client in clients
        ]
        for thread in threads:
            thread.start()

        def list_backends() -> set[int]:
            return {pid for _, pid, *_ in superuser.execute(BACKENDS).fetchall()}

        wait_until("all queries run", lambda: len(list_backends()) == 3)
        orphans = list_backends()
        before = inside.read_pooler_pid()
        os.kill(before, signal.SIGKILL)
        for thread in threads:
            thread.join()
        await_service(inside, uri)
        assert inside.read_pooler_pid() != before
        assert not list_backends() & orphans
        for client in clients:
            client.close()


def test_a_pooler_that_stands_still_is_not_mistaken_for_a_dead_one(
    service: Service, inside: Inside
) -> None:
    """SIGSTOP: it lives, so no second one may share its port; its clients go on after."""
    with service.pool("web") as uri, connect(uri) as client:
        pid = inside.read_pooler_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until("it is noticed", lambda: service.read_cluster()["phase"] != "active")
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until("it is well again", lambda: service.read_cluster()["phase"] == "active")
        assert inside.read_pooler_pid() == pid
        assert ask(client, "SELECT 1") == 1


def test_a_refused_reload_changes_nothing_and_heals(
    plane: Plane, service: Service, inside: Inside
) -> None:
    """Trap: a RELOAD that fails is told on the console only since 1.25, and half of the files may
    be in force. Here the CA file was damaged, which PgBouncer will not load."""
    log = plane.home / "logs/control-plane.log"

    def is_refused_and_healed() -> bool:
        inside.paths.ca.write_text("no certificate")
        with service.pool("other") as other, connect(other) as second:
            assert ask(second, "SELECT 1") == 1
        assert "BEGIN CERTIFICATE" in inside.paths.ca.read_text()
        assert ask(client, "SELECT 1") == 1
        return "PgBouncer refused its files" in log.read_text()

    with service.pool("web") as uri, connect(uri) as client:
        # Once a minute all is looked at: the file may be whole again before anybody reads it.
        wait_until("it was refused", is_refused_and_healed)


# -- passwords -----------------------------------------------------------------------------------


def test_two_new_passwords_within_a_second(service: Service) -> None:
    """Trap: PgBouncer knows a changed auth file by whole-second time, size and inode."""
    first = service.create_user("hasty")
    with service.pool("web", user="hasty") as uri:
        for _ in range(4):
            second = service.reset_auth("hasty")
            third = service.reset_auth("hasty")
            for password in (first, second):
                assert "SASL authentication failed" in fails_with(
                    lambda: connect(log_in_as(uri, "hasty", password))  # noqa: B023
                )
            with connect(log_in_as(uri, "hasty", third)) as client:
                assert ask(client, "SELECT current_user::text") == "hasty"
            first = third


def test_old_passwords_lock_nobody_out(service: Service) -> None:
    """Trap: one client with an old password could make PgBouncer refuse all with the new one."""
    old = service.create_user("locked")
    with service.pool("web", user="locked") as uri:
        new = service.reset_auth("locked")
        stopping = threading.Event()
        refusals = []

        def knock() -> None:
            while not stopping.is_set():
                refusals.append(fails_with(lambda: connect(log_in_as(uri, "locked", old))))

        knocker = threading.Thread(target=knock)
        knocker.start()
        try:
            wait_until("the old password is tried", lambda: refusals)
            for _ in range(10):
                with connect(log_in_as(uri, "locked", new)) as client:
                    assert ask(client, "SELECT 1") == 1
        finally:
            stopping.set()
            knocker.join()
        assert refusals
        assert all("SASL authentication failed" in each for each in refusals)


def test_secrets_are_not_in_the_poolers_files(service: Service, inside: Inside) -> None:
    """Trap: a plain password costs 20 times the CPU at each login, and lies in a file."""
    password = service.create_user("secretive")
    with service.pool("web", user="secretive") as uri:
        with connect(uri) as client:
            assert ask(client, "SELECT current_user::text") == "secretive"
        for path in inside.paths.pooler.iterdir():
            assert password not in path.read_text()
            assert path.stat().st_mode & 0o077 == 0
        assert '"secretive" "SCRAM-SHA-256$' in (inside.paths.pooler / "userlist.txt").read_text()


# -- the log -----------------------------------------------------------------------------------


def test_the_log_goes_on_after_it_was_rotated(service: Service, inside: Inside) -> None:
    """Trap: PgBouncer writes on into the file that was put aside, until it is told."""
    with service.pool("web") as uri:
        assert rotate_pooler_log(inside.paths, max_bytes=1)
        with inside.console() as console:
            console.reload()
        assert fails_with(lambda: connect(log_in_as(uri, "nobody-known", "x")))
        assert "nobody-known" in inside.pooler_log.read_text()
        old = inside.pooler_log.with_name(f"{inside.pooler_log.name}.1")
        assert "nobody-known" not in old.read_text()


# -- logins --------------------------------------------------------------------------------------


def test_startup_parameters_of_jdbc(service: Service) -> None:
    """Trap: what PgBouncer does not know is refused at login, and JDBC always sends this."""

    async def log_in(uri: str, **parameters: str) -> str:
        client = await asyncpg.connect(uri, server_settings=parameters)
        try:
            return str(await client.fetchval("SHOW application_name"))
        finally:
            await client.close()

    with service.pool("web") as uri:
        name = asyncio.run(log_in(uri, extra_float_digits="3", application_name="Ünïque"))
        assert name == "Ünïque" or name.isascii()


def test_a_storm_of_logins_to_a_pool_that_does_not_exist(service: Service) -> None:
    """Nobody else is held up by it."""
    with service.pool("web") as uri:
        missing = uri.replace("/web?", "/missing?")
        for _ in range(20):
            assert fails_with(lambda: connect(missing))
            with connect(uri) as client:
                assert ask(client, "SELECT 1") == 1
