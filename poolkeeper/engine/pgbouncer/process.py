"""One PgBouncer process of a cluster: started detached, adopted, stopped."""

from __future__ import annotations

import signal
from pathlib import Path

from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.engine.accounts import Account
from poolkeeper.engine.files import make_directory, read_file, remove_file, write_if_changed
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.binary import Binary
from poolkeeper.engine.pgbouncer.log import log_file, read_pooler_log
from poolkeeper.engine.proc import ProcessFacts, find_process, observe_process, search_process
from poolkeeper.engine.processes import Processes, signal_process, wait_gone

_PROGRAM = "pgbouncer"
_STOP_TIMEOUT = 5.0


def find_pooler(paths: ClusterPaths, index: int = 1) -> ProcessFacts | None:
    """The living process, by its pid file and its arguments."""
    return find_process(_read_pid(paths, index), _marker(paths, index), program=_PROGRAM)


def recover_pooler(
    paths: ClusterPaths, owner: Account | None, index: int = 1
) -> ProcessFacts | None:
    """A living process whose pid file is lost or damaged, if there is one; it gets it back.

    All processes are looked through, so ask find_pooler first. Raises OSError.
    """
    facts = search_process(_marker(paths, index), program=_PROGRAM)
    if facts is not None:
        write_if_changed(_pid_file(paths, index), f"{facts.pid}\n", owner=owner)
    return facts


def start_pooler(
    paths: ClusterPaths, binary: Binary, processes: Processes, *, nofile: int, index: int = 1
) -> ProcessFacts:
    """Start it; its files must be there. Does not wait until it answers. Raises ProcessFailed.

    A process that lost its pid file would share the port unseen (``so_reuseport``), so one
    is looked for before.
    """
    stray = search_process(_marker(paths, index), program=_PROGRAM)
    if stray is not None:
        _stop(stray)
    # Where it ends at once, start after start, each would stay in the table of processes.
    processes.reap()
    make_directory(paths.pooler_run(index), processes.account, 0o700)
    remove_file(_pid_file(paths, index))
    marker = _marker(paths, index)
    pid = processes.spawn(
        [str(binary.path), "-q", marker],
        log=log_file(paths, index),
        marker=marker,
        nofile=nofile,
    )
    started = observe_process(pid)
    if started is None:
        log = read_pooler_log(paths, index=index)
        raise ProcessFailed(f"PgBouncer does not start: {log or 'it ended at once'}")
    return started


def demand_known(paths: ClusterPaths, started: ProcessFacts, binary: Binary) -> None:
    """End a process that would not be known again; it answers already. Raises ProcessFailed.

    It would be taken for a dead one in every pass, and its backends be ended.
    """
    if find_pooler(paths) is None:
        _stop(started)
        raise ProcessFailed(
            f"{binary.path} runs as a program that is not named {_PROGRAM}, and could not be told"
            " from others; give it that name, or name another by --pgbouncer"
        )


def stop_pooler(paths: ClusterPaths, index: int = 1) -> bool:
    """Stop it at once, cutting its clients; False if it was not there."""
    facts = find_pooler(paths, index) or search_process(_marker(paths, index), program=_PROGRAM)
    if facts is None:
        return False
    _stop(facts)
    return True


def _stop(facts: ProcessFacts) -> None:
    # SIGQUIT is PgBouncer's immediate shutdown; SIGTERM would wait for all clients.
    for signum in (signal.SIGQUIT, signal.SIGKILL):
        signal_process(facts, signum)
        if wait_gone(facts, _STOP_TIMEOUT):
            return
    raise ProcessFailed(f"PgBouncer (pid {facts.pid}) does not end even when killed")


def _read_pid(paths: ClusterPaths, index: int) -> int | None:
    try:
        return int(read_file(_pid_file(paths, index)) or b"")
    except (OSError, ValueError):
        return None


def _pid_file(paths: ClusterPaths, index: int) -> Path:
    return paths.pooler_run(index) / "pgbouncer.pid"


def _marker(paths: ClusterPaths, index: int) -> str:
    return str(paths.pooler / f"pgbouncer-{index}.ini")
