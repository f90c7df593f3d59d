"""One PostgreSQL server: made by initdb, started, found again, stopped.

Start and stop are PostgreSQL's own signals ("Shutting Down the Server" in its manual), not
pg_ctl, which would have to be waited for and could not tell whom it signals.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Literal

from poolkeeper.domain.errors import EngineError, ProcessFailed
from poolkeeper.domain.names import SUPERUSER
from poolkeeper.domain.scram import SALT_BYTES, make_verifier
from poolkeeper.engine.files import (
    read_file,
    remove_file,
    remove_tree,
    sync_directory,
    write_if_changed,
)
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres.binaries import Installation
from poolkeeper.engine.postgres.connections import connect, is_accepting
from poolkeeper.engine.postgres.log import START_LOG, explain_failure, read_log_tail
from poolkeeper.engine.proc import (
    ProcessFacts,
    find_process,
    is_deserted,
    observe_process,
    search_folder,
    search_process,
)
from poolkeeper.engine.processes import Processes, signal_process, wait_gone

__all__ = [
    "connect",
    "find_postmaster",
    "initialise",
    "is_accepting",
    "is_initialised",
    "read_log_tail",
    "reload",
    "start",
    "stop",
    "wait_until_accepting",
]

_PROGRAM = "postgres"
_TITLE = "postgres:"  # how the command lines of all but the first of its processes begin
_INITDB_TIMEOUT = 300.0
_ORPHAN_TIMEOUT = 1.0
_KILL_TIMEOUT = 10.0  # who is killed ends for certain; a busy machine may take a while over it
_LAST_WORDS_TIMEOUT = 5.0
_POLL = 0.02
_OPEN_FILES = 4096  # max_files_per_process is 1000; PostgreSQL lowers it to what it gets

_STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def is_initialised(paths: ClusterPaths) -> bool:
    """Whether the data directory is there: it gets its name only when it is whole."""
    return (paths.data / "PG_VERSION").exists()


def initialise(
    paths: ClusterPaths,
    installation: Installation,
    processes: Processes,
    superuser_password: str,
) -> None:
    """Make the data directory, unless it is there. May be killed at any point and called again.

    UTF-8, checksums, SCRAM, sorted by code point: an order that no upgrade of the system's C
    library can change under an index. Raises ProcessFailed with initdb's reason.
    """
    if is_initialised(paths):
        return
    unfinished = paths.root / "data.new"
    password_file = paths.root / "initdb.password"
    _clear_unfinished(installation, unfinished)
    try:
        secret = _choose_secret(installation, superuser_password)
        write_if_changed(password_file, secret + "\n", owner=processes.account)
        argv = _compose_initdb(installation, unfinished, password_file)
        done = processes.run(argv, timeout=_INITDB_TIMEOUT)
    finally:
        remove_file(password_file)
    if done.returncode != 0:
        raise ProcessFailed(f"initdb: {_explain_initdb(done.stdout)}")
    # initdb has synced what is in it.
    unfinished.rename(paths.data)
    sync_directory(paths.root)


def find_postmaster(paths: ClusterPaths) -> ProcessFacts | None:
    """The server of this data directory, whoever started it; None if none runs."""
    pid, _ = _read_pid_file(paths)
    return find_process(pid, str(paths.data), program=_PROGRAM)


def start(paths: ClusterPaths, installation: Installation, processes: Processes) -> ProcessFacts:
    """Start the server, or find the one that runs; does not wait until it accepts.

    Backends that outlived a killed server are ended first: they would keep a new one from
    starting. Raises ProcessFailed.
    """
    running = find_postmaster(paths) or search_process(str(paths.data), program=_PROGRAM)
    if running is not None:
        return running
    # PostgreSQL takes a zombie of the pid in postmaster.pid for a living server.
    processes.reap()
    _end_orphans(paths)
    _remove_stale_pid_file(paths)
    start_log = paths.log / START_LOG
    remove_file(start_log)
    argv = [
        str(installation.bin / _PROGRAM),
        *("-D", str(paths.data)),
        *("-c", f"config_file={paths.postgres_conf}"),
    ]
    pid = processes.spawn(argv, log=start_log, marker=str(paths.data), nofile=_OPEN_FILES)
    started = observe_process(pid)
    if started is None:
        raise ProcessFailed(_describe_failure(paths, "PostgreSQL did not start"))
    return started


def wait_until_accepting(
    paths: ClusterPaths, port: int, started: ProcessFacts, *, timeout: float
) -> None:
    """Wait for the server that ``start`` returned.

    Raises ProcessFailed, with the reason from its log, if it ends, or if it does not accept
    connections in time; it may then still be at recovery, and is left to it.
    """
    deadline = time.monotonic() + timeout
    # Asked only once the server itself says so: each question before fills its log.
    while _read_pid_file(paths) != (started.pid, "ready") or not is_accepting(paths, port):
        if wait_gone(started, _POLL):
            raise ProcessFailed(_describe_failure(paths, "PostgreSQL did not start"))
        if time.monotonic() > deadline:
            last = read_log_tail(paths, 1)
            raise ProcessFailed(
                f"PostgreSQL does not accept connections after {timeout:g} s; its log ends: {last}"
            )


def stop(
    paths: ClusterPaths, *, timeout: float, mode: Literal["fast", "immediate"] = "fast"
) -> None:
    """Stop the server and wait for its end; fine if none runs.

    ``fast`` cuts clients and writes a checkpoint, ``immediate`` leaves recovery to the next
    start. Raises ProcessFailed if it is not gone in time; it may still be about to go.
    """
    running = find_postmaster(paths)
    if running is None:
        return
    signal_process(running, _STOP_SIGNALS[mode])
    if not wait_gone(running, timeout):
        raise ProcessFailed(
            f"PostgreSQL (pid {running.pid}) did not stop within {timeout:g} s ({mode})"
        )


def reload(paths: ClusterPaths) -> bool:
    """Have the server read its files again; False if none runs."""
    running = find_postmaster(paths)
    return running is not None and signal_process(running, signal.SIGHUP)


def _compose_initdb(installation: Installation, data: Path, password_file: Path) -> list[str]:
    argv = [
        str(installation.bin / "initdb"),
        f"--pgdata={data}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--data-checksums",
        "--locale=C.UTF-8",
    ]
    if int(installation.major) >= 17:
        # PostgreSQL's own C.UTF-8: whole Unicode, and the system's locales have no say.
        argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return argv


def _choose_secret(installation: Installation, password: str) -> str:
    """What initdb is told: a verifier serves as well, so the password is not written down.

    But for 13, which reads 99 characters only.
    """
    if int(installation.major) < 14:
        return password
    return make_verifier(password, os.urandom(SALT_BYTES))


def _clear_unfinished(installation: Installation, unfinished: Path) -> None:
    """Remove what a killed run left, and first end an initdb that still works on it."""
    deadline = time.monotonic() + _KILL_TIMEOUT
    while True:
        left = search_process(str(unfinished), program="initdb")
        if left is not None:
            _kill(left)
        for helper in search_folder(unfinished, str(installation.bin.resolve())):
            _kill(helper)
        try:
            remove_tree(unfinished)
        except OSError:
            # A helper that initdb had just started has written into it meanwhile.
            if time.monotonic() > deadline:
                raise
        else:
            return


def _kill(facts: ProcessFacts) -> None:
    signal_process(facts, signal.SIGKILL)
    wait_gone(facts, _KILL_TIMEOUT)


def _explain_initdb(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line or "FATAL:" in line]
    return (errors or lines[-1:] or ["it failed without a word"])[0].removeprefix("initdb: ")


def _read_pid_file(paths: ClusterPaths) -> tuple[int | None, str]:
    """The pid and the status that postmaster.pid tells (its first and eighth line)."""
    try:
        content = read_file(paths.data / "postmaster.pid")
    except OSError as error:
        raise EngineError(f"cannot read {paths.data}/postmaster.pid: {error}") from error
    lines = content.decode(errors="replace").splitlines() if content else []
    if not lines or not lines[0].strip().isdigit():
        return None, ""
    return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""


def _end_orphans(paths: ClusterPaths) -> None:
    """End backends without a server: gently, then not. Their transactions are lost anyway."""
    for signum, patience in ((signal.SIGQUIT, _ORPHAN_TIMEOUT), (signal.SIGKILL, _KILL_TIMEOUT)):
        orphans = search_folder(paths.data, _TITLE)
        for orphan in orphans:
            signal_process(orphan, signum)
        deadline = time.monotonic() + patience
        # A list, not a generator: each one is to be waited for.
        if all([wait_gone(orphan, deadline - time.monotonic()) for orphan in orphans]):
            return


def _remove_stale_pid_file(paths: ClusterPaths) -> None:
    """Remove a postmaster.pid that no process of this data directory stands behind.

    PostgreSQL would not start while its account has any process of that pid: after a reboot
    another server's, or a zombie, which nobody collects in a container without an init. The
    file also guards against backends that outlived their server, so it goes only where we can
    be sure that there are none; else PostgreSQL decides.
    """
    pid, _ = _read_pid_file(paths)
    if pid is not None and is_deserted(paths.data):
        remove_file(paths.data / "postmaster.pid")


def _describe_failure(paths: ClusterPaths, what: str) -> str:
    # The process that writes the log ends last, with the reason still to write; it may not
    # have got its title yet.
    for left in search_folder(paths.data, ""):
        wait_gone(left, _LAST_WORDS_TIMEOUT)
    return f"{what}: {explain_failure(read_log_tail(paths).splitlines())}"
