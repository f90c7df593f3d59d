"""A server's life: made, started, found again, killed, stopped."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from poolkeeper.domain.errors import EngineError, ProcessFailed
from poolkeeper.engine.certificates import Authority
from poolkeeper.engine.files import read_file, remove_tree, write_if_changed
from poolkeeper.engine.postgres import server
from poolkeeper.engine.postgres.binaries import Installation
from poolkeeper.engine.proc import ProcessFacts, observe_process, search_folder, search_process
from poolkeeper.engine.processes import Processes, signal_process, wait_gone
from tests.engine.servers import Postgres
from tests.plane import wait_until


@pytest.fixture
def started(mortal: Postgres) -> Iterator[Postgres]:
    mortal.start()
    yield mortal
    server.stop(mortal.paths, timeout=60, mode="immediate")


def read_setting(postgres: Postgres, name: str) -> str:
    with postgres.superuser() as connection:
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def test_a_killed_initdb_is_done_again(
    state: Path, installation: Installation, processes: Processes, authority: Authority
) -> None:
    """The control plane is killed while initdb runs, and initdb runs on without it."""
    made = Postgres(state, installation, processes, authority, 25060)
    made.prepare()
    unfinished = made.paths.root / "data.new"
    # One that was done before we looked is none that was killed.
    left = wait_until("its server works", lambda: catch_initdb(made, unfinished))
    assert not server.is_initialised(made.paths)

    made.initialise()

    assert wait_gone(left, 0)
    assert server.is_initialised(made.paths)
    assert not unfinished.exists()
    assert not (made.paths.root / "initdb.password").exists()
    before = (made.paths.data / "PG_VERSION").stat().st_ctime_ns
    made.initialise()
    assert (made.paths.data / "PG_VERSION").stat().st_ctime_ns == before
    processes.reap()


def catch_initdb(made: Postgres, folder: Path) -> ProcessFacts | None:
    """An initdb that is at work on a folder; None if it came to its end before it was seen."""
    program = made.installation.bin / "initdb"
    pid = made.processes.spawn(
        [str(program), f"--pgdata={folder}"], log=made.paths.log / "initdb", marker=str(folder)
    )
    while (found := observe_process(pid)) is not None:
        if search_folder(folder, str(program.parent.resolve())):
            return found
        time.sleep(0.02)
    remove_tree(folder)
    return None


def test_initdb_that_fails_says_why(
    state: Path,
    folder: Path,
    installation: Installation,
    processes: Processes,
    authority: Authority,
) -> None:
    made = Postgres(state, installation, processes, authority, 25060)
    made.prepare()
    broken = folder / "initdb"
    broken.write_text("#!/bin/sh\necho running\necho 'initdb: error: no space' >&2\nexit 1\n")
    broken.chmod(0o755)
    made.installation = replace(installation, bin=folder)
    with pytest.raises(ProcessFailed, match="initdb: error: no space"):
        made.initialise()
    assert not server.is_initialised(made.paths)
    assert not (made.paths.root / "initdb.password").exists()
    with pytest.raises(ProcessFailed, match=r"cannot start .*/nowhere/initdb"):
        made.installation = replace(installation, bin=Path("/nowhere"))
        made.initialise()


def test_it_is_made_as_promised(started: Postgres) -> None:
    assert read_setting(started, "server_encoding") == "UTF8"
    assert read_setting(started, "data_checksums") == "on"
    assert read_setting(started, "password_encryption") == "scram-sha-256"
    assert read_setting(started, "max_connections") == "25"
    assert read_setting(started, "superuser_reserved_connections") == "3"
    assert read_setting(started, "log_min_error_statement") == "panic"
    with started.superuser() as connection:
        row = connection.execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname = 'poolkeeper'"
        ).fetchone()
        assert row is not None and row[0].startswith("SCRAM-SHA-256$4096:")
        rejected = connection.execute(
            "SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL OR NOT applied"
        ).fetchall()
        assert rejected == []
        order = connection.execute(
            "SELECT string_agg(x, ' ' ORDER BY x) FROM unnest(array['b', 'B', 'ä', 'a']) AS x"
        ).fetchone()
        assert order == ("B a b ä",)


def test_a_new_control_plane_finds_the_server_that_runs(started: Postgres) -> None:
    found = server.find_postmaster(started.paths)
    assert found is not None and server.is_accepting(started.paths, started.port)
    newcomer = Processes(started.processes.account)
    assert server.start(started.paths, started.installation, newcomer) == found
    account = started.processes.account
    owner = (Path("/proc") / str(found.pid)).stat().st_uid
    assert owner == (account.uid if account else os.getuid())


def test_a_server_that_lost_its_pid_file_is_not_started_twice(started: Postgres) -> None:
    found = server.find_postmaster(started.paths)
    assert found is not None
    pid_file = started.paths.data / "postmaster.pid"
    content = read_file(pid_file)
    assert content is not None
    pid_file.unlink()
    try:
        assert server.find_postmaster(started.paths) is None
        again = server.start(started.paths, started.installation, started.processes)
        assert again.pid == found.pid
    finally:
        write_if_changed(pid_file, content, owner=started.processes.account)


def test_a_killed_server_is_back_though_backends_outlived_it(started: Postgres) -> None:
    found = server.find_postmaster(started.paths)
    assert found is not None
    with started.superuser() as connection:
        connection.execute("CREATE TABLE public.kept AS SELECT 1 AS x")
    # A backend that does not notice: stopped, it would hold the shared memory for ever.
    with contextlib.closing(started.superuser()) as stuck:
        backend = observe_process(stuck.info.backend_pid)
        assert backend is not None
        signal_process(backend, signal.SIGSTOP)
        signal_process(found, signal.SIGKILL)
        assert wait_gone(found, 60)
        assert server.find_postmaster(started.paths) is None
        assert not server.is_accepting(started.paths, started.port)
        again = started.start()
        assert again.pid != found.pid
        assert wait_gone(backend, 0)
    with started.superuser() as connection:
        assert connection.execute("SELECT x FROM public.kept").fetchone() == (1,)
        connection.execute("DROP TABLE public.kept")
    # Questions while it recovered would have been written down as errors.
    assert "starting up" not in server.read_log_tail(started.paths, 100)


def test_changed_files_are_read_again(started: Postgres) -> None:
    conf = started.paths.postgres_conf
    owner = started.processes.account
    text = conf.read_text()
    write_if_changed(conf, text + "log_lock_waits = off\n", owner=owner)
    assert server.reload(started.paths)
    wait_until("it is reloaded", lambda: read_setting(started, "log_lock_waits") == "off")
    write_if_changed(conf, text, owner=owner)
    assert server.reload(started.paths)
    wait_until("it is reloaded", lambda: read_setting(started, "log_lock_waits") == "on")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_stopped_server_is_gone(mortal: Postgres, mode: str) -> None:
    mortal.start()
    with contextlib.closing(mortal.superuser()):
        server.stop(mortal.paths, timeout=60, mode=mode)  # type: ignore[arg-type]
    assert server.find_postmaster(mortal.paths) is None
    assert search_process(str(mortal.paths.data)) is None
    assert not server.reload(mortal.paths)
    server.stop(mortal.paths, timeout=0)
    with pytest.raises(EngineError, match=f"cannot connect to PostgreSQL on port {mortal.port}"):
        mortal.superuser()
    wait_until("all are gone", lambda: not search_folder(mortal.paths.data, "postgres:"))


def test_a_server_that_does_not_stop_in_time_is_told_of(started: Postgres) -> None:
    found = server.find_postmaster(started.paths)
    assert found is not None
    signal_process(found, signal.SIGSTOP)
    try:
        with pytest.raises(ProcessFailed, match=rf"pid {found.pid}\) did not stop within 0 s"):
            server.stop(started.paths, timeout=0)
    finally:
        signal_process(found, signal.SIGCONT)
    assert wait_gone(found, 60)


def test_a_taken_port_is_the_reason(mortal: Postgres) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", mortal.port))
        listener.listen()
        with pytest.raises(ProcessFailed, match=r"could not bind .*: Address already in use"):
            mortal.start()
    assert "Address already in use" in server.read_log_tail(mortal.paths)
    assert server.find_postmaster(mortal.paths) is None


def test_a_wrong_file_is_the_reason(mortal: Postgres) -> None:
    """Found before the log is opened, so it stands in the start log."""
    conf = mortal.paths.postgres_conf
    owner = mortal.processes.account
    text = conf.read_text()
    write_if_changed(conf, text + "max_connections = many\n", owner=owner)
    try:
        with pytest.raises(ProcessFailed, match=r"did not start: .*contains errors"):
            mortal.start()
    finally:
        write_if_changed(conf, text, owner=owner)


def test_a_stale_pid_file_is_no_server(mortal: Postgres) -> None:
    """The pid is a living process's by now: ours, which has not the data directory's path."""
    pid_file = mortal.paths.data / "postmaster.pid"
    for content in (f"{os.getpid()}\n", "", "nonsense\n"):
        write_if_changed(pid_file, content, owner=mortal.processes.account)
        assert server.find_postmaster(mortal.paths) is None
        server.stop(mortal.paths, timeout=0)
    pid_file.unlink()


def test_superuser_logins_are_known_by_name(started: Postgres) -> None:
    with started.superuser() as connection:
        row = connection.execute(
            "SELECT application_name, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)"
            " WHERE pid = pg_backend_pid()"
        ).fetchone()
    assert row == ("poolkeeper", False)
    with pytest.raises(EngineError, match="password authentication failed"):
        server.connect(started.paths, started.port, "wrong")
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"):
        psycopg.connect(
            host="127.0.0.1",
            port=started.port,
            user="poolkeeper",
            password=started.password,
            dbname="postgres",
        )
