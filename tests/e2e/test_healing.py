"""Servers and control planes die, programs and ports go missing; all of it heals."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from poolkeeper import settings
from poolkeeper.engine.pgbouncer.binary import find_binary
from poolkeeper.engine.proc import observe_process
from poolkeeper.engine.processes import signal_process, wait_gone
from tests.e2e.load import running_load
from tests.e2e.mortal import Mortal, ask_for_cluster, await_converged, await_served, check_files
from tests.killed import MortalPlane
from tests.plane import Plane, connect, halted, wait_until

PACED = "SELECT pg_sleep(0.05)"


class Ward(Mortal):
    """A cluster whose programs stand in a folder of the test's, where they can be broken."""

    def __init__(self, plane: MortalPlane, programs: Path) -> None:
        super().__init__(plane, "ward")
        self.programs = programs
        self.pgbouncer = programs / "pgbouncer"
        self.postgres = programs / "postgresql"
        self.uri = self.service.create_pool("ward-pool", size=3)
        self.session_uri = self.service.create_pool("ward-sessions", size=2, mode="session")

    def find_pid(self, server: str) -> int:
        (pid,) = self.list_pids()[server]
        return pid

    def kill(self, server: str) -> int:
        """SIGKILL a server, or the control plane; the pid it had."""
        if server == "control plane":
            assert self.plane.process is not None
            self.plane.kill()
            return self.plane.process.pid
        facts = observe_process(self.find_pid(server))
        assert facts is not None
        signal_process(facts, signal.SIGKILL)
        # Who dies has no command line any more while it still holds its port.
        assert wait_gone(facts, 20), f"{server} does not die"
        return facts.pid

    def await_new(self, server: str, old: int) -> None:
        wait_until(
            f"{server} runs again", lambda: self.list_pids().get(server) not in (None, [old])
        )
        await_converged(self.client, self.service.id)
        self.pids = self.list_pids()

    def await_trouble(self, reason: str) -> dict[str, Any]:
        """Wait until ``/v1`` says what is wrong; the standing."""
        told: list[object] = []

        def find() -> dict[str, Any] | None:
            standing: dict[str, Any] = dict(self.service.read_cluster())
            told.append((standing["phase"], standing["reason"]))
            failed = standing["phase"] in ("waiting", "parked")
            return standing if failed and re.search(reason, standing["reason"]) else None

        try:
            found: dict[str, Any] = wait_until(f"the reason is {reason!r}", find)
        except AssertionError as error:
            raise AssertionError(f"{error}; told: {sorted(set(told))}") from None
        return found

    def live_troubled(self) -> None:
        """Start the control plane while something is wrong with the cluster."""
        self.client.close()
        self.plane.start("--empty")
        self.client = self.service.api = self.plane.client()

    def check_health(self) -> None:
        """The pools answer, and nothing is left of what was wrong."""
        await_converged(self.client, self.service.id)
        await_served(self)
        check_files(self.plane, self.service.id)
        assert all(len(pids) == 1 for pids in self.list_pids().values()), self.list_pids()
        for uri in (self.uri, self.session_uri):
            with connect(uri) as client:
                assert client.execute("SELECT 1").fetchone() == (1,)


@pytest.fixture(scope="module")
def ward() -> Iterator[Ward]:
    programs = Path(tempfile.mkdtemp(prefix="pk-programs-", dir="/tmp"))
    programs.chmod(0o755)
    plane = MortalPlane(drain_seconds=1)
    try:
        found = settings.load({}, plane.environment).settings
        real = find_binary(found.pgbouncer, found.state_dir).path
        (programs / "pgbouncer").symlink_to(real)
        (programs / "postgresql").symlink_to(found.postgres_prefixes[0])
        plane.environment["POOLKEEPER_PGBOUNCER"] = str(programs / "pgbouncer")
        plane.environment["POOLKEEPER_POSTGRES_PREFIXES"] = str(programs / "postgresql")
        plane.start("--empty")
        with contextlib.closing(Ward(plane, programs)) as ward:
            yield ward
    except BaseException:
        print(plane.logs())
        raise
    finally:
        plane.destroy()
        shutil.rmtree(programs)


@pytest.fixture(autouse=True)
def healthy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins and ends with a cluster that is well."""
    if "ward" not in request.fixturenames:
        yield
        return
    ward: Ward = request.getfixturevalue("ward")
    ward.be_alive()
    ward.check_health()
    ward.pids = ward.list_pids()
    yield
    ward.be_alive()
    ward.check_health()


def test_a_killed_pgbouncer_is_back_and_its_orphans_are_gone(ward: Ward) -> None:
    postgres = ward.find_pid("PostgreSQL")
    client = connect(ward.uri)
    asking = threading.Thread(target=ask_for_long, args=(client,))
    asking.start()
    with ward.inside.connect() as inside:
        wait_until("the query runs", lambda: count_long(inside) == 1)
        ward.await_new("PgBouncer", ward.kill("PgBouncer"))
        assert count_long(inside) == 0
    asking.join()
    client.close()
    assert ward.find_pid("PostgreSQL") == postgres
    await_told(ward, "PgBouncer")


def test_a_killed_postmaster_is_back_and_idle_clients_stay(ward: Ward) -> None:
    pgbouncer = ward.find_pid("PgBouncer")
    with connect(ward.uri) as client:
        client.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        ward.await_new("PostgreSQL", ward.kill("PostgreSQL"))
        assert client.execute("SELECT answer FROM kept").fetchone() == (42,)
        client.execute("DROP TABLE kept")
    assert ward.find_pid("PgBouncer") == pgbouncer
    await_told(ward, "PostgreSQL")


EVERYONE = ("control plane", "PgBouncer", "PostgreSQL")
ORDERS = [
    order
    for number in (2, 3)
    for order in itertools.permutations(EVERYONE, number)
    if "control plane" in order
]


@pytest.mark.parametrize("order", ORDERS, ids=" then ".join)
def test_all_are_killed_in_any_order(ward: Ward, order: tuple[str, ...]) -> None:
    kept = {name: pids for name, pids in ward.list_pids().items() if name not in order}
    for server in order:
        ward.kill(server)
    ward.live_again()
    ward.pids = ward.list_pids()
    for name, pids in kept.items():
        assert ward.pids[name] == pids


@pytest.mark.parametrize("server", ["PgBouncer", "PostgreSQL"])
def test_a_port_that_somebody_took(ward: Ward, server: str) -> None:
    ports = ward.inside.ports
    port = ports.pool if server == "PgBouncer" else ports.direct
    ward.kill("control plane")
    ward.kill(server)
    with socket.create_server(("127.0.0.1", port)):
        ward.live_troubled()
        ward.await_trouble(f"{server}.*[Aa]ddress already in use")


def test_a_pgbouncer_that_ends_at_once(ward: Ward) -> None:
    with replaced(ward.pgbouncer) as real:
        ward.pgbouncer.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && exec "{real}" --version\n'
            "echo 'FATAL the cat is on the keyboard' >&2; exit 3\n"
        )
        ward.pgbouncer.chmod(0o755)
        ward.kill("PgBouncer")
        standing = ward.await_trouble("the cat is on the keyboard")
        assert standing["reason"].startswith("PgBouncer")
        # What has ended is not told as a process.
        kinds = [process["kind"] for process in ward.service.read_cluster()["processes"]]
        assert kinds == ["postgres"]
        # A change is refused for that reason, and PostgreSQL can still be reached.
        answer = ward.service.try_change("ward-pool", size=2)
        assert answer.status_code == 503, answer.text
        assert "the cat is on the keyboard" in answer.json()["message"]
        wait_until("it is parked", lambda: ward.service.read_cluster()["phase"] == "parked")
        with ward.inside.connect() as inside:
            assert inside.execute("SELECT 1").fetchone() == (1,)
    ward.check_health()
    assert ward.service.read_pool("ward-pool")["size"] == 3


def test_no_pgbouncer_at_all(ward: Ward) -> None:
    with replaced(ward.pgbouncer):
        ward.kill("PgBouncer")
        ward.await_trouble("no PgBouncer found")


def test_no_postgresql_at_all(ward: Ward) -> None:
    with replaced(ward.postgres):
        ward.kill("PostgreSQL")
        ward.await_trouble(r"PostgreSQL \d+ is not installed .*install postgresql-\d+")


def test_a_data_directory_that_nobody_may_write(ward: Ward) -> None:
    ward.kill("control plane")
    ward.kill("PostgreSQL")
    data = ward.inside.paths.data
    data.chmod(0o500)
    try:
        ward.live_troubled()
        ward.await_trouble("Permission denied")
    finally:
        data.chmod(0o700)


def test_a_data_directory_that_is_gone(ward: Ward) -> None:
    """No empty one takes its place: that would pass for a healthy cluster without its data."""
    data = ward.inside.paths.data
    away = data.with_name("data.away")
    ward.kill("control plane")
    ward.kill("PostgreSQL")
    data.rename(away)
    try:
        ward.live_troubled()
        ward.await_trouble("data directory .* is gone")
        assert not data.exists()
    finally:
        away.rename(data)


PID_FILES: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "garbage": lambda path: path.write_text("a cat\n"),
    "empty": lambda path: path.write_text(""),
    "another's": lambda path: path.write_text(f"{os.getpid()}\n"),
}


@pytest.mark.parametrize("damage", PID_FILES)
@pytest.mark.parametrize("down", [False, True], ids=["while it runs", "while it is down"])
def test_a_lost_pid_file_costs_no_client(ward: Ward, damage: str, down: bool) -> None:
    path = ward.inside.paths.pooler_run(1) / "pgbouncer.pid"
    pid = ward.find_pid("PgBouncer")
    with running_load(ward.uri, 1, PACED) as load:
        if down:
            ward.kill("control plane")
        PID_FILES[damage](path)
        if down:
            ward.live_again()
        ward.service.change_pool("ward-pool", size=2)
        ward.service.change_pool("ward-pool", size=3)
        load.await_turns()
    assert ward.find_pid("PgBouncer") == pid
    wait_until("its pid is written down again", lambda: read_number(path) == pid)


@pytest.mark.parametrize("whose", ["nobody's", "PgBouncer's"])
def test_a_stale_postmaster_pid(ward: Ward, whose: str) -> None:
    """After a reboot, the pid in the file may be that of another server of the same account."""
    path = ward.inside.paths.data / "postmaster.pid"
    ward.kill("control plane")
    ward.kill("PostgreSQL")
    if whose == "PgBouncer's":
        lines = path.read_text().splitlines()
        path.write_text("\n".join([str(ward.find_pid("PgBouncer")), *lines[1:]]) + "\n")
    ward.live_again()


def test_files_edited_by_hand_are_put_back(ward: Ward) -> None:
    paths = ward.inside.paths
    files = [
        *(paths.postgres_conf, paths.postgres_hba, paths.postgres_ident),
        *(
            paths.pooler / name
            for name in ("pgbouncer-1.ini", "pgbouncer_hba.conf", "userlist.txt")
        ),
    ]
    texts = {path: path.read_text() for path in files}
    assert ward.plane.process is not None
    with ward.inside.connect() as inside, ward.inside.console() as console:
        original = inside.execute("SHOW work_mem").fetchone()
        # In any minute all is looked at again, which shall not be in this one.
        with halted(ward.plane.process.pid):
            for path in files:
                path.write_text(path.read_text() + "\n# by hand\n".replace("#", comment(path)))
            edit(paths.postgres_conf, r"work_mem = .*", "work_mem = '64kB'")
            pooler = paths.pooler / "pgbouncer-1.ini"
            edit(pooler, r"query_wait_timeout = .*", "query_wait_timeout = 7")
            inside.execute("SELECT pg_reload_conf()")
            console.reload()
            assert read_timeout(ward) == "7"
        # PgBouncer's at the next change of anything.
        ward.service.change_pool("ward-pool", size=2)
        ward.service.change_pool("ward-pool", size=3)
        assert read_timeout(ward) == "120"
        # PostgreSQL's when all is looked at again, as at a start.
        ward.kill("control plane")
        ward.live_again()
        wait_until("work_mem is", lambda: inside.execute("SHOW work_mem").fetchone() == original)
    assert {path: path.read_text() for path in files} == texts


def test_a_stale_lock_and_api_file(ward: Ward) -> None:
    home = ward.plane.home
    ward.kill("control plane")
    told = json.loads((home / "api.json").read_text())
    (home / "api.json").write_text(json.dumps(told | {"pid": os.getpid(), "api": "https://x:1"}))
    (home / "lock").write_text(f"{os.getpid()}\n")
    ward.live_again()
    assert ward.plane.process is not None
    told = json.loads((home / "api.json").read_text())
    assert told["pid"] == ward.plane.process.pid
    assert (home / "lock").read_text() == f"{ward.plane.process.pid}\n"


def test_a_lost_token_file_is_made_again(ward: Ward) -> None:
    token = ward.plane.token
    (ward.plane.home / "token").unlink()
    ward.kill("control plane")
    ward.live_again()
    assert re.fullmatch("[0-9a-f]{64}", ward.plane.token)
    assert ward.plane.token != token
    assert (ward.plane.home / "token").stat().st_mode & 0o777 == 0o600
    assert ward.client.get("/v2/databases").is_success


def test_a_stop_and_a_start_leave_the_servers_alone(ward: Ward) -> None:
    """By the program itself, as people start it."""
    with running_load(ward.uri, 2, PACED) as load:
        ward.plane.stop()
        assert ward.plane.process is not None and ward.plane.process.returncode == 0
        assert not (ward.plane.home / "api.json").exists()
        load.await_turns()
        with connect(ward.uri) as newcomer:
            assert newcomer.execute("SELECT 1").fetchone() == (1,)
        Plane.launch(ward.plane, "--empty")
        wait_until("the control plane answers", ward.plane._answers)
        load.await_turns()
        refuse_a_second(ward.plane)
        ward.plane.stop()
        assert ward.plane.process.returncode == 0
        ward.live_again()
        load.await_turns()
    ward.check()


def refuse_a_second(plane: MortalPlane) -> None:
    """A second ``up`` on the state names the process that holds it, and touches nothing."""
    assert plane.process is not None
    before = list_files(plane)
    second = plane.run("up", "--empty", check=False)
    assert second.returncode == 1
    assert f"process {plane.process.pid} already runs Poolkeeper" in second.stderr
    assert list_files(plane) == before
    with plane.client() as client:
        assert client.get("/v1/health").is_success


def test_a_stop_while_a_cluster_is_created(ward: Ward) -> None:
    asked = ask_for_cluster(ward.client, "unfinished")
    assert asked.status_code == 201, asked.text
    cluster_id = asked.json()["database"]["id"]
    folder = ward.plane.home / "clusters" / cluster_id
    begun, done = folder / "data.new" / "PG_VERSION", folder / "data"
    wait_until("initdb runs, or has just ended", lambda: begun.exists() or done.exists())
    ward.plane.stop()
    assert ward.plane.process is not None and ward.plane.process.returncode == 0
    ward.live_again()
    await_converged(ward.client, cluster_id)
    assert ward.client.delete(f"/v2/databases/{cluster_id}").status_code == 204


def test_a_store_that_cannot_be_written(ward: Ward) -> None:
    """Not a byte more may be written to any file; even a log line fails."""
    assert ward.plane.process is not None
    pools = ward.client.get(f"{ward.service.address}/pools").json()
    with running_load(ward.uri, 1, PACED) as load:
        with limited_files(ward.plane.process.pid):
            refused = ward.service.try_pool("too-much", size=2)
            assert refused.status_code == 503, refused.text
            assert "nothing was applied" in refused.json()["message"]
            assert ward.client.get(f"{ward.service.address}/pools").json() == pools
            load.await_turns()
        assert ward.service.try_pool("just-right", size=2).status_code == 201
        load.await_turns()
    ward.service.delete_pool("just-right")
    await_served(ward)


def test_a_full_disk() -> None:
    """Everything on one small file system, as on a small machine."""
    plane = MortalPlane(drain_seconds=1)
    plane.home.mkdir(mode=0o700)
    mounting = ["mount", "-t", "tmpfs", "-o", "size=256m,mode=0700", "none", str(plane.home)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        plane.destroy()
        pytest.skip("only root may mount a file system")
    try:
        plane.start("--empty")
        with contextlib.closing(Mortal(plane, "small")) as mortal:
            fill_and_free(mortal)
    except BaseException:
        print(plane.logs())
        raise
    finally:
        plane.destroy()
        subprocess.run(["umount", "--lazy", str(plane.home)], check=True)
        shutil.rmtree(plane.state, ignore_errors=True)


def fill_and_free(mortal: Mortal) -> None:
    service = mortal.service
    uri = service.create_pool("kept-pool", size=2)
    ballast = mortal.plane.home / "ballast"
    with running_load(uri, 1, PACED) as load:
        fill(ballast)
        refused = service.try_pool("one-more", size=2)
        assert refused.status_code == 503, refused.text
        assert "nothing was applied" in refused.json()["message"]
        load.await_turns()
        ballast.unlink()
        assert service.try_pool("one-more", size=2).status_code == 201
        # A control plane that cannot start says why, and leaves the servers alone.
        fill(ballast)
        mortal.plane.kill()
        mortal.plane.launch("--empty")
        assert mortal.plane.process.wait(60) == 1
        assert (
            f"cannot work in {mortal.plane.home}: No space left" in mortal.plane.output.read_text()
        )
        ballast.unlink()
        load.await_turns()
        mortal.live_again()
    mortal.check()


def fill(ballast: Path) -> None:
    """Write until nothing more fits."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)


@contextlib.contextmanager
def limited_files(pid: int) -> Iterator[None]:
    """The process can write to no place in a file but its first byte."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Put a program out of the way; where it really is."""
    real = path.readlink()
    path.unlink()
    try:
        yield real
    finally:
        path.unlink(missing_ok=True)
        path.symlink_to(real)


def ask_for_long(client: psycopg.Connection[Any]) -> None:
    with contextlib.suppress(psycopg.Error):
        client.execute("SELECT pg_sleep(600)")


def count_long(inside: psycopg.Connection[Any]) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
    row = inside.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def await_told(ward: Ward, server: str) -> None:
    """Wait until the newest event is that the server was started."""

    def is_told() -> bool:
        event = ward.client.get("/v1/events").json()["events"][0]
        return (event["kind"], event["subject"]) == ("server_started", server)

    wait_until(f"the start of {server} is told", is_told)


def read_number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def read_timeout(ward: Ward) -> str:
    with ward.inside.console() as console:
        rows = console._query("SHOW CONFIG")
    return next(str(row["value"]) for row in rows if row["key"] == "query_wait_timeout")


def edit(path: Path, pattern: str, text: str) -> None:
    path.write_text(re.sub(pattern, text, path.read_text()))


def comment(path: Path) -> str:
    return ";" if path.suffix in (".ini", ".txt") else "#"


def list_files(plane: Plane) -> dict[str, tuple[int, int]]:
    """Every file outside the clusters' own folders that only people and we write, by its path."""
    kept = [path for path in plane.list_paths() if "data" not in path.parts and path.is_file()]
    return {
        str(path): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in kept
        if not {"log", "logs"} & set(path.parts)
        and not path.name.startswith(("poolkeeper.db", "samples.db"))
    }
