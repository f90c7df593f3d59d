"""Server processes: started detached, known again, and signalled without mistaking one.

A process is known by what ``/proc`` says now — its pid, its start time and a path among its
arguments — never by its name and never from memory alone.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.engine.accounts import Account
from poolkeeper.engine.files import open_log

# Ours is not handed on: it may hold secrets, and a server that is adopted by another version
# of ourselves must not depend on how the first one was started.
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
_PROC = Path("/proc")
_DEAD_STATES = frozenset("ZXx")


@dataclass(frozen=True)
class ProcessFacts:
    """A process as observed; pid and ``start_ticks`` together mean this one and no other.

    Two facts of one process are equal, however it has grown. ``rss``: resident bytes by the
    kernel's quick count, which for a small process may be 0.
    """

    pid: int
    start_ticks: int
    started_at: datetime = field(compare=False)
    rss: int = field(compare=False)


class Processes:
    """Starts servers that outlive us."""

    def __init__(self, account: Account | None) -> None:
        self.account = account
        self._children: set[int] = set()
        self._lock = threading.Lock()

    def spawn(
        self, argv: Sequence[str], *, log: Path, marker: str, nofile: int | None = None
    ) -> int:
        """Start a server in a session of its own, as the account; return its pid.

        It writes to ``log``, reads nothing and gets a clean environment. ``marker``: the
        argument by which find_process will know it. ``nofile``: open files it should be
        allowed; it gets fewer where the system forbids so many. Raises ProcessFailed.
        """
        if not _has_marker(list(argv), marker):
            raise ValueError(f"{marker!r} is not an argument of {argv[0]}")
        if nofile is not None:
            _allow_open_files(nofile)
        try:
            output = open_log(log, self.account)
            try:
                pid = self._start(argv, output)
            finally:
                os.close(output)
        except OSError as error:
            raise ProcessFailed(f"cannot start {argv[0]}: {error}") from error
        with self._lock:
            self._children.add(pid)
        return pid

    def run(self, argv: Sequence[str], *, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a short command as the account, to its end; stderr comes in ``stdout``.

        Raises ProcessFailed if it cannot be started or takes longer; not if it fails.
        """
        account = self.account
        try:
            return subprocess.run(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                cwd="/",
                env=_ENVIRONMENT,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=account.groups if account else None,
                text=True,
                errors="replace",
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ProcessFailed(f"{argv[0]} took longer than {timeout:g} s") from None
        except OSError as error:
            raise ProcessFailed(f"cannot start {argv[0]}: {error}") from error

    def reap(self) -> None:
        """Collect those we started that have ended; others' children are left alone."""
        with self._lock:
            self._children = {pid for pid in self._children if not _collect(pid)}

    def _start(self, argv: Sequence[str], output: int) -> int:
        account = self.account
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=_ENVIRONMENT,
            close_fds=True,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=account.groups if account else None,
            umask=0o077,
        )
        # It is meant to outlive us: without this, Popen complains when it is forgotten.
        child.returncode = 0
        return child.pid


def find_process(
    pid: int | None, marker: str, *, program: str | None = None
) -> ProcessFacts | None:
    """The living process of that pid, if ``marker`` is one of its arguments, else None.

    An argument ``--name=marker`` counts. ``program``: some argument must also be the path of
    a program of that name, so that an editor which has the marked file open is not taken for
    the server.
    """
    if pid is None or pid <= 0:
        return None
    arguments = _read_arguments(pid)
    if not _has_marker(arguments, marker):
        return None
    if program is not None and all(Path(each).name != program for each in arguments):
        return None
    return observe_process(pid)


def search_process(marker: str, *, program: str | None = None) -> ProcessFacts | None:
    """Look through all processes for one that find_process would take; slow, so rarely used."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            facts = find_process(int(entry.name), marker, program=program)
            if facts is not None:
                return facts
    return None


def search_folder(folder: Path, title: str) -> list[ProcessFacts]:
    """Processes that work in this folder and whose command line begins with ``title``.

    Without root, or without its right to look at others' processes, only our own are found.
    """
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and _works_in(entry, folder):
            arguments = _read_arguments(int(entry.name))
            facts = observe_process(int(entry.name))
            if facts is not None and arguments and arguments[0].startswith(title):
                found.append(facts)
    return found


def is_deserted(folder: Path) -> bool:
    """Whether surely no process of the folder's owner works in it; False where we cannot tell.

    Raises OSError if the folder cannot be looked at.
    """
    owner = folder.stat().st_uid
    for entry in _PROC.iterdir():
        try:
            if not entry.name.isdigit() or entry.stat().st_uid != owner:
                continue
            if (entry / "cwd").readlink().is_relative_to(folder):
                return False
        except PermissionError:
            return False
        except OSError:
            # It ended meanwhile, or is a zombie, which works nowhere.
            continue
    return True


def observe_process(pid: int) -> ProcessFacts | None:
    """The process of that pid, whatever it is; None if there is none, or a dead one."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # proc_pid_stat(5): the second field, the name, may itself hold spaces and brackets.
    fields = text.rpartition(")")[2].split()
    if fields[0] in _DEAD_STATES:
        return None
    ticks = int(fields[19])
    return ProcessFacts(
        pid=pid,
        start_ticks=ticks,
        started_at=datetime.fromtimestamp(_boot_time() + ticks / os.sysconf("SC_CLK_TCK"), UTC),
        rss=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
    )


def signal_process(facts: ProcessFacts, signum: int) -> bool:
    """Signal exactly this process; False if it is gone, even if its pid is another's by now.

    Raises PermissionError.
    """
    with _hold(facts) as descriptor:
        if descriptor is None:
            return False
        try:
            signal.pidfd_send_signal(descriptor, signum)
        except ProcessLookupError:
            return False
    return True


def wait_gone(facts: ProcessFacts, timeout: float) -> bool:
    """Wait until this process has ended; False if it still lives after ``timeout`` seconds."""
    with _hold(facts) as descriptor:
        if descriptor is None:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(max(timeout, 0) * 1000))


@contextlib.contextmanager
def _hold(facts: ProcessFacts) -> Iterator[int | None]:
    """A pidfd of this very process, or None if it is gone.

    The descriptor is opened first and the identity read after: if it is still the one we
    know, it was so when the descriptor was opened, and a pidfd never changes its process.
    """
    try:
        descriptor = os.pidfd_open(facts.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        now = observe_process(facts.pid)
        same = now is not None and now.start_ticks == facts.start_ticks
        yield descriptor if same else None
    finally:
        os.close(descriptor)


def _collect(pid: int) -> bool:
    """Whether our child has ended; its entry in the process table is then gone, too."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _read_arguments(pid: int) -> list[str]:
    try:
        text = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(each) for each in text.split(b"\0") if each]


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder.resolve()
    except OSError:
        return False


def _has_marker(arguments: list[str], marker: str) -> bool:
    return any(each == marker or each.endswith("=" + marker) for each in arguments)


def _boot_time() -> float:
    # Not ``btime`` of proc_stat(5): it has whole seconds, and who was started in one would seem
    # to have been running before it.
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def _allow_open_files(wanted: int) -> None:
    """Raise our own limit, which what we start inherits; nr_open is the system's highest.

    Ours, because the limits of a process that runs as another account may be changed only
    with CAP_SYS_RESOURCE, which root in a container often lacks.
    """
    wanted = min(wanted, int((_PROC / "sys/fs/nr_open").read_text()))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (PermissionError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
