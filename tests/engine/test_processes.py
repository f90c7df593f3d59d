import contextlib
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.engine import proc
from poolkeeper.engine.files import write_if_changed
from poolkeeper.engine.proc import (
    ProcessFacts,
    find_process,
    observe_process,
    search_folder,
    search_process,
)
from poolkeeper.engine.processes import Processes, signal_process, wait_gone
from tests.plane import wait_until

SAID = "said\n"


@pytest.fixture
def marker(folder: Path, processes: Processes) -> str:
    """A file that a process has among its arguments."""
    write_if_changed(folder / "marked", SAID, owner=processes.account)
    return str(folder / "marked")


@contextlib.contextmanager
def running(processes: Processes, marker: str, nofile: int | None = None) -> Iterator[ProcessFacts]:
    """A detached process that writes SAID and then does nothing."""
    log = Path(marker).with_name("log")
    argv = ["/usr/bin/tail", "-f", marker]
    pid = processes.spawn(argv, log=log, marker=marker, nofile=nofile)
    facts = observe_process(pid)
    assert facts is not None
    try:
        yield facts
    finally:
        signal_process(facts, signal.SIGKILL)
        assert wait_gone(facts, 60)
        processes.reap()


@pytest.fixture
def alive(processes: Processes, marker: str) -> Iterator[ProcessFacts]:
    with running(processes, marker) as facts:
        yield facts


def test_a_server_is_detached_and_unprivileged(
    alive: ProcessFacts, processes: Processes, marker: str
) -> None:
    proc = Path("/proc") / str(alive.pid)
    assert os.getsid(alive.pid) == alive.pid
    assert (proc / "fd/0").readlink() == Path("/dev/null")
    assert (proc / "cwd").readlink() == Path("/")
    names = [each.partition(b"=")[0] for each in (proc / "environ").read_bytes().split(b"\0")]
    assert sorted(filter(None, names)) == [b"LANG", b"PATH"]
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    account = processes.account
    expected = {str(account.uid if account else os.getuid())}
    assert set(status["Uid"].split()) == expected
    assert "0" not in status["Uid"].split() + status["Gid"].split() + status["Groups"].split()


def test_what_it_writes_is_appended_to_a_log_of_its_account(
    processes: Processes, marker: str
) -> None:
    log = Path(marker).with_name("log")
    for times in (1, 2):
        with running(processes, marker):
            wait_until("it has written", lambda times=times: log.read_text() == SAID * times)
    found = log.stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    if processes.account:
        assert found.st_uid == processes.account.uid


def test_open_files_are_raised_as_far_as_they_can_be(processes: Processes, marker: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(soft + 10, hard)
    with running(processes, marker, nofile=wanted) as facts:
        limits = (Path("/proc") / str(facts.pid) / "limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert int(line.split()[3]) >= wanted
    with running(processes, marker, nofile=2**40):
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= hard


def test_a_process_is_known_by_pid_argument_and_program(alive: ProcessFacts, marker: str) -> None:
    assert find_process(alive.pid, marker) == observe_process(alive.pid)
    assert find_process(alive.pid, marker, program="tail") is not None
    assert find_process(alive.pid, marker, program="vi") is None
    assert find_process(alive.pid, marker[:-1]) is None
    assert find_process(os.getpid(), marker) is None
    assert find_process(None, marker) is None
    found = search_process(marker, program="tail")
    assert found is not None and found.pid == alive.pid
    assert search_process(marker + ".other") is None


def test_facts_are_those_of_the_process(alive: ProcessFacts) -> None:
    age = datetime.now(UTC) - alive.started_at
    assert 0 <= age.total_seconds() < 30
    ours = observe_process(os.getpid())
    assert ours is not None and ours.rss > 2**20


def test_a_process_has_not_been_running_before_it_was_started() -> None:
    for _ in range(20):
        # Known to a hundredth of a second, rounded down.
        before = datetime.now(UTC) - timedelta(milliseconds=20)
        argv = ["/usr/bin/sleep", "30"]
        with subprocess.Popen(argv) as child:
            found = observe_process(child.pid)
            child.kill()
        assert found is not None and before <= found.started_at <= datetime.now(UTC)


def test_a_pause_between_two_looks_at_the_clock_moves_no_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    booted, pauses = 900.0, iter([0, 3, 0, 0, 0, 3, 0, 0, 0])
    uptime = 100.0

    def pass_by(*clock: int) -> float:
        nonlocal uptime
        uptime += next(pauses)
        return uptime

    told = SimpleNamespace(clock_gettime=pass_by, CLOCK_BOOTTIME=7, time=lambda: booted + pass_by())
    monkeypatch.setattr(proc, "time", told)
    assert proc._boot_time() == booted


def test_an_argument_of_the_form_name_is_value_counts(processes: Processes, folder: Path) -> None:
    write_if_changed(folder / "a", "", owner=processes.account)
    with pytest.raises(ValueError, match="not an argument"):
        processes.spawn(["/bin/true"], log=folder / "log", marker="elsewhere")
    argv = ["/usr/bin/tail", "-f", f"--pid={os.getpid()}", str(folder / "a")]
    pid = processes.spawn(argv, log=folder / "log", marker=str(os.getpid()))
    facts = find_process(pid, str(os.getpid()))
    assert facts is not None
    signal_process(facts, signal.SIGKILL)
    assert wait_gone(facts, 60)


def test_a_zombie_is_not_alive_and_is_collected(processes: Processes, marker: str) -> None:
    with running(processes, marker) as facts:
        assert signal_process(facts, signal.SIGKILL)
        assert wait_gone(facts, 60)
        assert (Path("/proc") / str(facts.pid)).exists()
        assert observe_process(facts.pid) is None
        assert find_process(facts.pid, marker) is None
        assert search_process(marker) is None
        assert not signal_process(facts, signal.SIGTERM)
        processes.reap()
        assert not (Path("/proc") / str(facts.pid)).exists()


FIRST_THREAD_ENDS = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_has_ended_once_all_its_threads_have() -> None:
    """Until then it has its open files and its ports, though it looks like a zombie."""
    argv = [sys.executable, "-c", FIRST_THREAD_ENDS]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as child:
        facts = observe_process(child.pid)
        assert facts is not None
        wait_until("its first thread has ended", lambda: observe_process(child.pid) is None)
        assert not wait_gone(facts, 0.05)
        assert signal_process(facts, signal.SIGKILL)
        assert wait_gone(facts, 60)
        assert not signal_process(facts, signal.SIGKILL)


def test_children_of_others_are_not_collected(processes: Processes) -> None:
    child = subprocess.Popen(["/bin/true"])
    wait_until("it is a zombie", lambda: observe_process(child.pid) is None)
    processes.reap()
    assert child.wait(timeout=60) == 0


def test_a_recycled_pid_is_never_signalled(alive: ProcessFacts) -> None:
    """The facts of a process that has gone, whose pid now belongs to another one."""
    former = replace(alive, start_ticks=alive.start_ticks - 1)
    assert not signal_process(former, signal.SIGKILL)
    assert wait_gone(former, 60)
    assert not wait_gone(alive, 0.05)


def test_processes_are_found_by_the_folder_they_work_in(tmp_path: Path) -> None:
    child = subprocess.Popen(["postgres: idle", "300"], executable="/bin/sleep", cwd=tmp_path)
    try:
        assert [found.pid for found in search_folder(tmp_path, "postgres:")] == [child.pid]
        assert search_folder(tmp_path, "other:") == []
        assert search_folder(tmp_path.parent, "postgres:") == []
    finally:
        child.kill()
        child.wait()


def test_what_cannot_be_started_says_why(processes: Processes, folder: Path) -> None:
    with pytest.raises(ProcessFailed, match=r"cannot start /nowhere/x: .*No such file"):
        processes.spawn(["/nowhere/x", "m"], log=folder / "log", marker="m")
    with pytest.raises(ProcessFailed, match="No such file"):
        processes.spawn(["/bin/true", "m"], log=folder / "missing" / "log", marker="m")
    with pytest.raises(ProcessFailed, match="No such file"):
        processes.run(["/nowhere/x"], timeout=60)


def test_a_short_command_is_run_as_the_account(processes: Processes) -> None:
    account = processes.account
    done = processes.run(["/usr/bin/id", "-u"], timeout=60)
    assert done.stdout.strip() == str(account.uid if account else os.getuid())
    failed = processes.run(["/bin/sh", "-c", "echo why >&2; exit 3"], timeout=60)
    assert (failed.returncode, failed.stdout) == (3, "why\n")
    with pytest.raises(ProcessFailed, match="took longer than"):
        processes.run(["/bin/sleep", "300"], timeout=0.05)
