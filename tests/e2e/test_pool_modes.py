"""Each mode's typical work, through the URI that the API returned."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import httpx
import psycopg
import pytest
from psycopg.pq import ExecStatus, PGconn

from poolkeeper.engine.pgbouncer.console import Console
from tests.e2e.inside import Inside, Watch
from tests.e2e.load import running_load
from tests.e2e.service import Json, Service, fails_with, log_in_as
from tests.plane import Plane, connect, wait_until


@pytest.fixture(scope="module")
def service(api: httpx.Client, cluster: Json) -> Service:
    return Service(api, cluster)


@pytest.fixture(scope="module")
def inside(plane: Plane, service: Service) -> Inside:
    return Inside(plane, service.id)


def answer(pgconn: PGconn) -> bytes | None:
    """The first value of the query that was sent; waits for it."""
    value = None
    while (result := pgconn.get_result()) is not None:
        assert result.status == ExecStatus.TUPLES_OK, result.error_message
        value = result.get_value(0, 0)
    return value


def await_queue(console: Console, name: str, waiting: int) -> None:
    """Wait until so many clients queue for a pool."""
    wait_until(
        f"{waiting} clients wait for pool {name}",
        lambda: console.list_loads()[name].clients_waiting == waiting,
    )


def work_together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Have so many clients work at once; what each one returned."""
    with ThreadPoolExecutor(count) as workers:
        return list(workers.map(work, range(count)))


# -- statement ---------------------------------------------------------------------------------


def test_a_statement_pool_refuses_transactions(service: Service) -> None:
    with service.pool("stmt", mode="statement") as uri:
        with contextlib.closing(connect(uri)) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
            with pytest.raises(psycopg.errors.ProtocolViolation) as caught:
                client.execute("BEGIN")
            assert caught.value.diag.severity == "FATAL"
            assert str(caught.value) == "transaction blocks not allowed in statement pooling mode"
            assert client.closed
        # psycopg's default is to begin a transaction with the first statement.
        with contextlib.closing(connect(uri, autocommit=False)) as client:
            refusal = fails_with(lambda: client.execute("SELECT 1"))
            assert "transaction blocks not allowed in statement pooling mode" in refusal


def test_a_statement_pool_lets_several_statements_in_one_message_pass(service: Service) -> None:
    with service.pool("stmt", mode="statement") as uri, connect(uri) as client:
        cursor = client.execute("SELECT 1; SELECT 2")
        assert cursor.fetchone() == (1,)
        assert cursor.nextset()
        assert cursor.fetchone() == (2,)
        # PgBouncer looks at where a message leaves the backend, not at what is in it.
        client.execute("BEGIN; CREATE TABLE both_of_it (n int); COMMIT")
        client.execute("DROP TABLE both_of_it")
        assert "transaction blocks not allowed" in fails_with(
            lambda: client.execute("BEGIN; SELECT 1")
        )


def test_a_statement_pool_serves_prepared_statements(service: Service) -> None:
    with service.pool("stmt", mode="statement", size=2) as uri:

        def work(number: int) -> list[int]:
            with connect(uri) as client:
                return [fetch(client, "SELECT %s::int", number) for _ in range(10)]

        assert work_together(4, work) == [[number] * 10 for number in range(4)]


# -- transaction -------------------------------------------------------------------------------


def test_clients_queue_and_are_served_in_turn(service: Service, inside: Inside) -> None:
    with (
        service.pool("queue", size=2) as uri,
        Watch(inside) as watch,
        contextlib.ExitStack() as open_,
    ):
        holders = [open_.enter_context(connect(uri)) for _ in range(2)]
        clients = [open_.enter_context(connect(uri)) for _ in range(50)]
        holders[0].execute("CREATE SEQUENCE turns")
        for holder in holders:
            holder.execute("BEGIN")
        console = open_.enter_context(inside.console())
        for number, client in enumerate(clients, start=1):
            client.pgconn.send_query(b"SELECT pg_catalog.nextval('turns')")
            await_queue(console, "queue", number)
        # One backend alone has to serve them all, so that there is one order.
        holders[0].execute("COMMIT")
        turns = [answer(client.pgconn) for client in clients]
        holders[1].execute("COMMIT")
        assert turns == [b"%d" % number for number in range(1, 51)]
        assert watch.most_together == 2


def test_fifty_clients_work_on_two_backends(service: Service, inside: Inside) -> None:
    with (
        service.pool("busy", size=2) as uri,
        Watch(inside) as watch,
        running_load(uri, 50) as load,
    ):
        # In turn: from when all have come, nobody gets far ahead of anybody. A client that did
        # not ask for a while, because it got no processor, catches up.
        before = list(load.turns)

        def count() -> list[int]:
            return [now - then for now, then in zip(load.turns, before, strict=True)]

        load.await_turns(5)
        wait_until("all had their turns", lambda: max(count()) <= 3 * min(count()) + 20)
        wait_until("both backends were seen", lambda: watch.most_together == 2)
    assert load.errors == []
    assert watch.most_together == 2


def fetch(client: psycopg.Connection[Any], query: str, *parameters: Any) -> Any:
    row = client.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


def test_prepared_statements_of_psycopg(service: Service) -> None:
    """Its default: prepared at the fifth time."""
    with service.pool("prepared", size=3) as uri:

        def work(number: int) -> set[int]:
            with connect(uri, autocommit=number % 2 == 0) as client:
                pids = set()
                for turn in range(40):
                    with client.transaction():
                        assert fetch(client, "SELECT %s::int + 1", turn) == turn + 1
                        assert fetch(client, "SELECT %s::text || 'x'", "ü") == "üx"
                        pids.add(fetch(client, "SELECT pg_backend_pid() + 0 * %s", turn))
                return pids

        found = work_together(8, work)
        assert len(set().union(*found)) == 3
        assert any(len(pids) > 1 for pids in found)


def test_prepared_statements_of_asyncpg(service: Service) -> None:
    """Its default: everything is prepared, and kept."""
    with service.pool("prepared", size=3) as uri:

        async def work(number: int) -> set[int]:
            client = await asyncpg.connect(uri)
            try:
                pids = set()
                for turn in range(40):
                    async with client.transaction():
                        assert await client.fetchval("SELECT $1::int + 1", turn) == turn + 1
                        # An array's type is looked up with statements of asyncpg's own.
                        names = await client.fetchval("SELECT $1::text[]", ["a", str(number)])
                        assert names == ["a", str(number)]
                        pids.add(await client.fetchval("SELECT pg_backend_pid()"))
                return pids
            finally:
                await client.close()

        async def work_all() -> list[set[int]]:
            return await asyncio.gather(*(work(number) for number in range(8)))

        found = asyncio.run(work_all())
        assert len(set().union(*found)) == 3
        assert any(len(pids) > 1 for pids in found)


def test_prepared_statements_live_through_changes_of_the_table(service: Service) -> None:
    with service.pool("prepared", size=3) as uri, connect(uri) as client:
        client.execute("CREATE TABLE fruit (name text)")
        client.execute("INSERT INTO fruit VALUES ('pear')")
        for _ in range(10):
            assert fetch(client, "SELECT name FROM fruit WHERE name <> %s", "") == "pear"
        client.execute("DROP TABLE fruit")


def test_copy(service: Service) -> None:
    rows = [(number, f"row {number}") for number in range(5000)]
    with service.pool("copying") as uri, connect(uri) as client:
        client.execute("CREATE TABLE copied (n int, t text)")
        with client.cursor().copy("COPY copied FROM STDIN") as copy_in:
            for row in rows:
                copy_in.write_row(row)
        with client.cursor().copy("COPY (SELECT * FROM copied ORDER BY n) TO STDOUT") as copy_out:
            copy_out.set_types(["int4", "text"])
            assert list(copy_out.rows()) == rows
        client.execute("DROP TABLE copied")


def test_pipeline_mode(service: Service) -> None:
    with service.pool("pipes") as uri:

        def work(number: int) -> list[int]:
            with connect(uri) as client:
                with client.pipeline():
                    cursors = [
                        client.execute("SELECT %s::int", (number * 100 + turn,))
                        for turn in range(50)
                    ]
                return [cursor.fetchall()[0][0] for cursor in cursors]

        expected = [[number * 100 + turn for turn in range(50)] for number in range(4)]
        assert work_together(4, work) == expected


@pytest.mark.parametrize("mode", ["transaction", "session", "statement"])
def test_a_query_is_cancelled(service: Service, inside: Inside, mode: str) -> None:
    """On a pool that is full: the request to cancel must not queue behind what it cancels."""
    with (
        service.pool("cancelling", size=1, mode=mode) as uri,
        connect(uri) as client,
        inside.connect() as superuser,
    ):

        def is_running() -> bool:
            query = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
            return superuser.execute(query + " AND state = 'active'").fetchone() is not None

        for _ in range(5):
            failure: list[str] = []
            thread = threading.Thread(
                target=lambda kept=failure: kept.append(
                    fails_with(lambda: client.execute("SELECT pg_sleep(60)"))
                )
            )
            thread.start()
            wait_until("the query runs", is_running)
            client.cancel_safe()
            thread.join()
            assert failure == ["canceling statement due to user request"]
            assert client.execute("SELECT 1").fetchone() == (1,)


# -- session -----------------------------------------------------------------------------------


def test_a_session_pool_holds_its_backend_until_the_client_leaves(
    service: Service, inside: Inside
) -> None:
    with service.pool("sessions", mode="session", size=1) as uri, connect(uri) as waiter:
        with connect(uri) as holder:
            pids = {fetch(holder, "SELECT pg_backend_pid()") for _ in range(5)}
            assert len(pids) == 1
            holder.execute("SET work_mem = '77MB'")
            waiter.pgconn.send_query(b"SHOW work_mem")
            with inside.console() as console:
                await_queue(console, "sessions", 1)
            assert fetch(holder, "SHOW work_mem") == "77MB"
        # The backend is the same, but nothing of its last client is left in it.
        assert answer(waiter.pgconn) not in (None, b"77MB")
        assert fetch(waiter, "SELECT pg_backend_pid()") in pids


def test_listen_and_notify_in_a_session_pool(service: Service) -> None:
    with (
        service.pool("sessions", mode="session") as uri,
        connect(uri) as listener,
        connect(uri) as other,
    ):
        listener.execute("LISTEN news")
        other.execute("NOTIFY news, 'first'")
        other.execute("NOTIFY news, 'second'")
        heard = [each.payload for each in listener.notifies(timeout=30, stop_after=2)]
        assert heard == ["first", "second"]


def test_advisory_locks_in_a_session_pool(service: Service) -> None:
    take = "SELECT pg_try_advisory_lock(7)"
    with service.pool("sessions", mode="session", size=2) as uri, connect(uri) as other:
        with connect(uri) as holder:
            assert fetch(holder, take) is True
            holder.execute("SELECT 1")
            assert fetch(other, take) is False
            assert fetch(holder, "SELECT pg_advisory_unlock(7)") is True
            assert fetch(other, take) is True
            assert fetch(other, "SELECT pg_advisory_unlock(7)") is True
            assert fetch(holder, take) is True
        wait_until("the lock goes with its holder", lambda: fetch(other, take))


def test_temporary_tables_and_cursors_in_a_session_pool(service: Service) -> None:
    with service.pool("sessions", mode="session", size=1) as uri:
        for _ in range(2):  # the second client gets the first one's backend, cleaned
            with connect(uri) as client:
                client.execute("CREATE TEMPORARY TABLE mine (n int)")
                client.execute("INSERT INTO mine VALUES (1), (2)")
                client.execute("DECLARE held CURSOR WITH HOLD FOR SELECT n FROM mine ORDER BY n")
                assert client.execute("FETCH ALL held").fetchall() == [(1,), (2,)]


# -- waiting too long --------------------------------------------------------------------------


def test_a_client_that_waits_too_long_is_told_so(service: Service) -> None:
    """The control plane of the tests says ``query_wait_timeout = 20``."""
    with (
        service.pool("narrow", size=1) as uri,
        connect(uri) as holder,
        contextlib.closing(connect(uri)) as waiter,
    ):
        with holder.transaction():
            holder.execute("SELECT 1")
            assert "query_wait_timeout" in fails_with(lambda: waiter.execute("SELECT 1"))
            assert waiter.closed
        with connect(uri) as later:
            assert fetch(later, "SELECT 1") == 1


# -- who one is --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def passwords(service: Service) -> dict[str, str]:
    """Users with names that need quotes somewhere, and their passwords."""
    names = ("app", "App-User", "reporting.user", "Z_9")
    return {name: service.create_user(name) for name in names}


def test_in_an_inbound_pool_each_client_is_itself(
    service: Service, passwords: dict[str, str]
) -> None:
    with service.pool("inbound", user="", size=2) as uri:
        for user, password in passwords.items():
            with connect(log_in_as(uri, user, password)) as client:
                who = client.execute("SELECT current_user::text, session_user::text").fetchone()
                assert who == (user, user)
        assert "SASL authentication failed" in fails_with(
            lambda: connect(log_in_as(uri, "app", passwords["App-User"]))
        )
        assert fails_with(lambda: connect(log_in_as(uri, "nobody", "x")))
        assert fails_with(lambda: connect(log_in_as(uri, "poolkeeper", "x")))


def test_a_deleted_user_is_out_and_its_successor_is_another(service: Service) -> None:
    """PgBouncer itself would let the old password in until its next start."""
    with service.pool("for-successors", user="", size=2) as uri:
        address = f"{service.address}/users/successor"
        former = log_in_as(uri, "successor", service.create_user("successor"))
        with connect(former) as client:
            assert client.execute("SELECT current_user").fetchone() == ("successor",)
            assert service.api.delete(address).status_code == 204
            assert "authentication failed" in fails_with(lambda: connect(former))
            latter = log_in_as(uri, "successor", service.create_user("successor"))
            with pytest.raises(psycopg.OperationalError):
                client.execute("SELECT current_user")
        assert "authentication failed" in fails_with(lambda: connect(former))
        with connect(latter) as client:
            assert client.execute("SELECT current_user").fetchone() == ("successor",)
        assert service.api.delete(address).status_code == 204


def test_clients_of_an_inbound_pool_do_not_get_each_others_backends(
    service: Service, inside: Inside, passwords: dict[str, str]
) -> None:
    """More users than backends: every backend is used, by its own user only, and no more."""
    with (
        service.pool("inbound", user="", size=3) as uri,
        Watch(inside, lambda found: str(found) if found.total() > 3 else "") as watch,
    ):
        people = list(passwords.items())

        def work(number: int) -> None:
            user, password = people[number % len(people)]
            with connect(log_in_as(uri, user, password)) as client:
                for _ in range(15):
                    assert fetch(client, "SELECT current_user::text") == user

        work_together(3 * len(people), work)
        wait_until("all backends were seen", lambda: watch.most_together >= 3)
    assert watch.excesses == []


def test_a_pool_with_a_user_is_for_that_user_alone(
    service: Service, passwords: dict[str, str], cluster: Json
) -> None:
    """Trap: a forced user does not work with SCRAM secrets, so the door is what decides."""
    owner = cluster["connection"]["password"]
    with service.pool("mine", user="App-User") as uri:
        with connect(uri) as client:
            assert fetch(client, "SELECT current_user::text") == "App-User"
        for user, password in {**passwords, "doadmin": owner}.items():
            if user != "App-User":
                assert fails_with(lambda: connect(log_in_as(uri, user, password)))  # noqa: B023
        assert "SASL authentication failed" in fails_with(
            lambda: connect(log_in_as(uri, "App-User", owner))
        )


def test_pools_with_names_that_mean_something_elsewhere(
    service: Service, passwords: dict[str, str], cluster: Json
) -> None:
    """``all`` and others are keywords of an HBA file; as names they mean themselves."""
    owner = cluster["connection"]["password"]
    with contextlib.ExitStack() as open_:
        uris = {
            name: open_.enter_context(service.pool(name, user="doadmin"))
            for name in ("all", "sameuser", "replication", "databases")
        }
        mine = open_.enter_context(service.pool("app", user="app"))
        for name, uri in uris.items():
            with connect(uri) as client:
                assert fetch(client, "SELECT current_user::text") == "doadmin", name
            assert fails_with(lambda: connect(log_in_as(uri, "app", passwords["app"])))  # noqa: B023
        assert fails_with(lambda: connect(log_in_as(mine, "doadmin", owner)))


@pytest.fixture(scope="module")
def odd_database(service: Service) -> Iterator[str]:
    service.create_database("My-Data.Base")
    yield "My-Data.Base"


@pytest.mark.parametrize("mode", ["transaction", "session", "statement"])
@pytest.mark.parametrize("user", ["App-User", "reporting.user", ""])
def test_names_with_hyphens_and_capitals(
    service: Service, passwords: dict[str, str], odd_database: str, mode: str, user: str
) -> None:
    with service.pool("My-Pool_1", mode=mode, user=user, db=odd_database, size=1) as uri:
        who = user or "Z_9"
        with connect(log_in_as(uri, who, passwords[who])) as client:
            row = client.execute("SELECT current_user::text, current_database()::text").fetchone()
        assert row == (who, odd_database)
        other_case = log_in_as(uri, who, passwords[who]).replace("My-Pool_1", "my-pool_1")
        assert fails_with(lambda: connect(other_case))


def test_a_client_without_tls_is_refused(service: Service) -> None:
    with service.pool("secure") as uri:
        plain = uri.replace("sslmode=require", "sslmode=disable")
        assert "SSL required" in fails_with(lambda: connect(plain))
