"""Server processes: started detached, and signalled without mistaking one."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.engine.accounts import Account
from poolkeeper.engine.files import open_log
from poolkeeper.engine.proc import PROC, ProcessFacts, is_listed, is_marked

# Ours is not handed on: it may hold secrets, and a server that is adopted by another version
# of ourselves must not depend on how the first one was started.
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


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
        if not is_marked(argv, marker):
            raise ValueError(f"{marker!r} is not an argument of {argv[0]}")
        if nofile is not None:
            # One at a time: the limit is the process's, and another thread may just have raised it
            # further for a server that has yet to inherit it.
            with self._lock:
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


def signal_process(facts: ProcessFacts, signum: int) -> bool:
    """Signal exactly this process; False if it is gone, even if its pid is another's by now.

    Raises PermissionError.
    """
    with _hold(facts) as descriptor:
        if descriptor is None or _has_ended(descriptor, 0):
            return False
        try:
            signal.pidfd_send_signal(descriptor, signum)
        except ProcessLookupError:
            return False
    return True


def wait_gone(facts: ProcessFacts, timeout: float) -> bool:
    """Wait until this process has ended; False if it still lives after ``timeout`` seconds.

    Ended means with all its threads, and so without its open files and ports: PgBouncer's
    first thread is a zombie some milliseconds before its last lets go of them.
    """
    with _hold(facts) as descriptor:
        return descriptor is None or _has_ended(descriptor, max(timeout, 0))


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
        yield descriptor if is_listed(facts) else None
    finally:
        os.close(descriptor)


def _has_ended(descriptor: int, timeout: float) -> bool:
    # pidfd_open(2): readable once the whole process has terminated, be it a zombie or not.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def _collect(pid: int) -> bool:
    """Whether our child has ended; its entry in the process table is then gone, too."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _allow_open_files(wanted: int) -> None:
    """Raise our own limit, which what we start inherits; nr_open is the system's highest.

    Ours, because the limits of a process that runs as another account may be changed only
    with CAP_SYS_RESOURCE, which root in a container often lacks.
    """
    wanted = min(wanted, int((PROC / "sys/fs/nr_open").read_text()))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (PermissionError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
