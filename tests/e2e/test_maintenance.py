"""What waits for a restart of PostgreSQL is announced, and made when it is time or asked for."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from poolkeeper.domain.maintenance import DAYS
from tests.creation import replaced_program
from tests.e2e.inside import Inside
from tests.e2e.load import running_load
from tests.e2e.mortal import list_server_pids
from tests.e2e.service import Service
from tests.plane import Plane, connect, create_cluster, running_plane, wait_until

SMALL, LARGE = "db-s-1vcpu-1gb", "db-s-1vcpu-2gb"

# The server as it is, but for its version and for what it would not start with.
_POSTGRES = """#!/bin/sh
if [ "$*" = --version ] && [ -f {folder}/version ]; then
    exec cat {folder}/version
fi
if [ "$1" = -D ] && [ -f {folder}/refused ] && grep -qf {folder}/refused "${{4#config_file=}}"
then
    echo 'FATAL:  could not map anonymous shared memory: Cannot allocate memory' >&2
    exit 1
fi
exec {real}/postgres "$@"
"""


class Maintained(Service):
    """A cluster whose PostgreSQL can be given another version, and faults."""

    def __init__(self, plane: Plane, api: httpx.Client, programs: Path) -> None:
        super().__init__(api, create_cluster(api, "maintained"))
        self.plane = plane
        self.programs = programs
        self.inside = Inside(plane, self.id)

    def read_window(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(self.address).json()["database"]["maintenance_window"]
        return found

    def await_pending(self, text: str, timeout: float = 60) -> None:
        wait_until(
            f"{text!r} is announced",
            lambda: any(text in each for each in self.read_window()["description"]),
            timeout,
        )
        assert self.read_window()["pending"] is True

    def await_done(self) -> None:
        def look() -> bool:
            found = self.api.get(self.address).json()["database"]
            window = found["maintenance_window"]
            return bool(found["status"] == "online" and window["description"] == [])

        try:
            wait_until("nothing waits any more", look)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.read_cluster()}, {self.read_window()}") from None

    def set_window(self, opening: datetime) -> None:
        body = {"day": DAYS[opening.weekday()], "hour": f"{opening:%H:%M:%S}"}
        answer = self.api.put(f"{self.address}/maintenance", json=body)
        assert (answer.status_code, answer.content) == (204, b"")
        window = self.read_window()
        assert (window["day"], window["hour"]) == (body["day"], body["hour"])

    def open_window(self) -> None:
        """A window that opens now, and after the server that runs was started: that had its
        restart. Windows open at full seconds."""
        opening = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        self.set_window(opening)
        wait_until("the window is open", lambda: datetime.now(UTC) >= opening)

    def install(self) -> None:
        answer = self.api.put(f"{self.address}/install_update")
        assert (answer.status_code, answer.content) == (204, b"")

    def set_config(self, **config: int) -> None:
        answer = self.api.patch(f"{self.address}/config", json={"config": config})
        assert answer.status_code == 200, answer.text

    def resize(self, size: str) -> None:
        answer = self.api.put(f"{self.address}/resize", json={"size": size, "num_nodes": 1})
        assert answer.status_code == 202, answer.text

    def show(self, name: str) -> str:
        with self.inside.connect() as connection:
            (value,) = connection.execute(f"SHOW {name}").fetchall()[0]
        return str(value)

    def find_postmaster(self) -> int | None:
        pids = list_server_pids(self.plane, self.id).get("PostgreSQL", [])
        return pids[0] if len(pids) == 1 else None

    def list_restarts(self) -> list[dict[str, Any]]:
        """Details of the planned restarts, newest first."""
        found = self.api.get("/v1/events", params={"cluster_id": self.id}).json()["events"]
        kind = "cluster_maintenance_perform"
        return [event["detail"] for event in found if event["kind"] == kind]


@pytest.fixture(scope="module")
def maintained() -> Iterator[Maintained]:
    with (
        replaced_program("postgres", _POSTGRES) as programs,
        running_plane(
            "--empty", drain_seconds=1, restart_wait_seconds=2, postgres_prefixes=programs
        ) as plane,
        plane.client() as api,
    ):
        service = Maintained(plane, api, programs)
        service.create_pool("busy", size=4)
        yield service


@pytest.fixture(autouse=True)
def closed(maintained: Maintained) -> None:
    """Each test begins with nothing pending, and with a window that is days away."""
    maintained.set_window(datetime.now(UTC) + timedelta(days=3))
    maintained.install()
    maintained.await_done()


@pytest.fixture
def uri(maintained: Maintained) -> str:
    answer = maintained.api.get(f"{maintained.address}/pools/busy").json()
    return str(answer["pool"]["connection"]["uri"])


def test_a_setting_is_announced_and_installed(maintained: Maintained, uri: str) -> None:
    pid = maintained.inside.read_pid()
    with running_load(uri, 6) as load:
        maintained.set_config(max_worker_processes=31)
        maintained.await_pending("restart PostgreSQL to apply max_worker_processes")
        load.await_turns(20)
        assert (maintained.show("max_worker_processes"), maintained.inside.read_pid()) != ("31", 0)
        assert maintained.inside.read_pid() == pid
        maintained.install()
        maintained.await_done()
        load.await_turns()
    assert not load.errors
    assert maintained.show("max_worker_processes") == "31"
    restart = maintained.list_restarts()[0]
    assert restart["cause"] == "asked"
    assert restart["reasons"] == ["restart PostgreSQL to apply max_worker_processes"]


def test_no_backend_logs_in_while_pools_are_paused(maintained: Maintained, uri: str) -> None:
    """Trap: PAUSE closes it, and until another login succeeds PgBouncer cuts whoever asks."""
    paused, ended = [], threading.Event()

    def watch() -> None:
        with maintained.inside.console() as console:
            while not ended.is_set():
                found = console.list_entries()
                paused.extend(each for each in found.values() if each.paused)

    with ThreadPoolExecutor() as threads, running_load(uri, 6, reconnect=True) as load:
        watching = threads.submit(watch)
        try:
            # Until the watch has had the processor while they were paused.
            numbers = itertools.count(50)
            while not paused:
                maintained.set_config(max_worker_processes=next(numbers))
                maintained.await_pending("max_worker_processes")
                maintained.install()
                maintained.await_done()
                load.await_turns()
        finally:
            ended.set()
        watching.result()
    assert not load.errors
    assert {(each.size, each.max_connections) for each in paused} == {(0, 1)}
    with maintained.inside.console() as console:
        assert console.list_entries()["busy"].size == 4


def test_with_nothing_pending_nothing_is_restarted(maintained: Maintained) -> None:
    pid, restarts = maintained.inside.read_pid(), maintained.list_restarts()
    maintained.install()
    # A change that is in force shows that the one before was seen.
    maintained.create_database("after-the-install")
    assert (maintained.inside.read_pid(), maintained.list_restarts()) == (pid, restarts)


def test_the_window_makes_it(maintained: Maintained, uri: str) -> None:
    with running_load(uri, 6) as load:
        maintained.set_config(max_worker_processes=32)
        maintained.await_pending("max_worker_processes")
        maintained.open_window()
        maintained.await_done()
        load.await_turns()
        assert maintained.show("max_worker_processes") == "32"
        assert maintained.list_restarts()[0]["cause"] == "maintenance window"
        # One restart in a window: what comes later waits for the next, or is asked for.
        restarts = len(maintained.list_restarts())
        maintained.set_config(max_worker_processes=33)
        maintained.await_pending("max_worker_processes")
        maintained.create_database("after-the-window")
        assert len(maintained.list_restarts()) == restarts
    assert not load.errors


def test_in_the_window_whoever_would_be_cut_is_waited_for(maintained: Maintained) -> None:
    """Longer than a restart that was asked for waits: two seconds here."""
    with maintained.pool("calm", size=1, mode="session") as uri:
        with connect(uri) as client:
            client.execute("CREATE TEMPORARY TABLE mine AS SELECT 1 AS x")
            maintained.set_config(max_worker_processes=35)
            maintained.await_pending("max_worker_processes")
            restarts = len(maintained.list_restarts())
            maintained.open_window()
            await_held_up(maintained)
            keep_asking(client, seconds=5)
            assert len(maintained.list_restarts()) == restarts
        maintained.await_done()
    assert maintained.list_restarts()[0]["cause"] == "maintenance window"
    assert maintained.list_restarts()[0]["cut_sessions"] == 0


def await_held_up(service: Service) -> None:
    text = "waited for are long transactions (0) and clients in session mode (1)"
    wait_until("it says whom it waits for", lambda: text in service.read_cluster()["reason"])


def keep_asking(client: psycopg.Connection[Any], seconds: float) -> None:
    """A session that notices if it is cut."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert client.execute("SELECT x FROM mine, pg_sleep(0.1)").fetchone() == (1,)


def test_who_may_never_be_cut_is_not_even_if_a_restart_was_asked_for() -> None:
    patient = running_plane("--empty", restart_wait_seconds=0, restart_cuts="never")
    with patient as plane, plane.client() as api:
        service = Service(api, create_cluster(api, "patient"))

        def read_status() -> object:
            return api.get(service.address).json()["database"]["status"]

        uri = service.create_pool("calm", size=1, mode="session")
        with connect(uri) as client:
            client.execute("CREATE TEMPORARY TABLE mine AS SELECT 1 AS x")
            body = {"size": LARGE, "num_nodes": 1}
            assert api.put(f"{service.address}/resize", json=body).status_code == 202
            await_held_up(service)
            keep_asking(client, seconds=3)
            assert read_status() == "resizing"
        wait_until("it is made once the session has ended", lambda: read_status() == "online")


def test_a_new_version_on_disk_is_announced(maintained: Maintained) -> None:
    major = maintained.show("server_version").partition(".")[0]
    version = maintained.programs / "version"
    version.write_text(f"postgres (PostgreSQL) {major}.99\n")
    program = maintained.programs / major / "bin" / "postgres"
    try:
        touch(program)
        maintained.set_config(work_mem=9)  # has PostgreSQL's files looked at
        maintained.await_pending(f"PostgreSQL {major}.99 is installed")
        # A restart that does not cure it is made once, not for ever.
        pid, restarts = maintained.inside.read_pid(), len(maintained.list_restarts())
        maintained.install()
        wait_until("it was made", lambda: len(maintained.list_restarts()) > restarts)
        assert maintained.inside.read_pid() != pid
        maintained.await_pending(f"PostgreSQL {major}.99 is installed")
        maintained.create_database("after-the-version")
        assert len(maintained.list_restarts()) == restarts + 1
    finally:
        version.unlink()
        touch(program)
        maintained.set_config(work_mem=8)
        maintained.await_done()


def test_a_configuration_that_does_not_start_is_taken_back(
    maintained: Maintained, uri: str
) -> None:
    refused = maintained.programs / "refused"
    refused.write_text("^max_connections = 50\n")
    try:
        with running_load(uri, 6) as load:
            maintained.resize(LARGE)
            wait_until(
                "it says why", lambda: "shared memory" in maintained.read_cluster()["reason"]
            )
            load.await_turns()
            assert maintained.api.get(maintained.address).json()["database"]["status"] == "online"
            assert maintained.show("max_connections") == "25"
            assert maintained.read_cluster()["budget"]["total"] == 22
            restart = maintained.list_restarts()[0]
            assert "shared memory" in restart["fault"]
            # It stays like this: nothing is tried again, not even after the server was killed.
            pid = maintained.inside.read_pid()
            maintained.create_database("after-the-refusal")
            maintained.open_window()
            maintained.create_database("in-the-window")
            assert maintained.inside.read_pid() == pid
            assert maintained.list_restarts()[0] == restart
        assert not load.errors
        assert maintained.try_pool("too-large", size=30).status_code == 422
    finally:
        refused.unlink()
    # Asked for, it is tried once more.
    maintained.install()
    wait_until("it was tried", lambda: maintained.list_restarts()[0] != restart)
    maintained.await_done()
    assert maintained.show("max_connections") == "50"
    assert maintained.read_cluster()["reason"] == ""
    maintained.resize(SMALL)
    maintained.await_done()


def test_a_server_that_ends_before_its_restart_is_started_all_the_same(
    maintained: Maintained, uri: str
) -> None:
    refused = maintained.programs / "refused"
    refused.write_text("^max_worker_processes = 44\n")
    try:
        maintained.set_config(max_worker_processes=44)
        maintained.await_pending("max_worker_processes")
        for _ in range(2):
            pid = maintained.inside.read_pid()
            os.kill(pid, signal.SIGKILL)
            wait_until("it runs again", lambda: maintained.find_postmaster() not in (None, pid))  # noqa: B023
            wait_until(
                "it says why", lambda: "shared memory" in maintained.read_cluster()["reason"]
            )
            with connect(uri) as client:
                assert client.execute("SELECT 1").fetchone() == (1,)
            assert maintained.show("max_worker_processes") != "44"
    finally:
        refused.unlink()
    # Another wish is tried.
    maintained.set_config(max_worker_processes=45)
    maintained.await_pending("max_worker_processes")
    maintained.install()
    maintained.await_done()
    assert maintained.show("max_worker_processes") == "45"
    assert maintained.read_cluster()["reason"] == ""


@pytest.mark.parametrize(
    "body",
    [
        {"day": "someday", "hour": "03:00"},
        {"day": "monday", "hour": "24:00"},
        {"day": "monday", "hour": "3"},
        {"day": "monday"},
    ],
)
def test_a_wrong_window_is_refused(maintained: Maintained, body: dict[str, str]) -> None:
    before = maintained.read_window()
    answer = maintained.api.put(f"{maintained.address}/maintenance", json=body)
    assert answer.status_code == 422
    assert maintained.read_window() == before


def touch(path: Path) -> None:
    """Make it look changed: what was asked of it before is asked again. Whole all the while,
    for somebody may be about to run it."""
    os.utime(path)
