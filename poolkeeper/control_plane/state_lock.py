"""One control plane at a time on a state directory: who holds it, and how it is stopped.

Small on purpose: the CLI asks here without loading the whole server.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.engine.proc import observe_process
from poolkeeper.engine.processes import signal_process, wait_gone

_PATIENCE = 1.0
_POLL = 0.02


class AlreadyRunning(PoolkeeperError):
    """Another control plane holds the state."""


class StateLock:
    """Held while the block runs; the file has the holder's pid. Raises AlreadyRunning."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "lock"
        self._descriptor = -1

    def __enter__(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        deadline = time.monotonic() + _PATIENCE
        # find_holder takes it for an instant, to look.
        while not _try_lock(self._descriptor):
            if time.monotonic() > deadline:
                self._refuse()
            time.sleep(_POLL)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _refuse(self) -> None:
        pid = _read_pid(self._descriptor)
        os.close(self._descriptor)
        raise AlreadyRunning(
            f"process {pid or 'unknown'} already runs Poolkeeper on {self._path.parent};"
            " stop it with `poolkeeper down`, or choose another --state-dir"
        )


def find_holder(state_dir: Path) -> int | None:
    """The pid of the control plane that holds the state, if any. Raises PoolkeeperError where
    that cannot be seen."""
    try:
        lock = os.open(state_dir / "lock", os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise PoolkeeperError(
            f"whether Poolkeeper runs in {state_dir} cannot be seen: {error.strerror}; run this as"
            " the account that started it"
        ) from error
    try:
        return None if _try_lock(lock) else _read_pid(lock)
    finally:
        os.close(lock)


def stop_holder(state_dir: Path, timeout: float) -> int | None:
    """Stop the control plane, if it runs, and return its pid. Raises PoolkeeperError."""
    pid = find_holder(state_dir)
    facts = observe_process(pid) if pid else None
    if facts is None:
        return None
    signal_process(facts, signal.SIGTERM)
    if not wait_gone(facts, timeout):
        raise PoolkeeperError(
            f"the control plane (process {facts.pid}) is still running after {timeout:g} s;"
            " see `poolkeeper logs`"
        )
    return facts.pid


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).decode().strip()
    return int(text) if text.isdigit() else None
