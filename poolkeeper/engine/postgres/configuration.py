"""What a postgresql.conf has to be for the server to start with it, found out beforehand."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from poolkeeper.engine.files import remove_file, write_if_changed
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres.binaries import Installation
from poolkeeper.engine.processes import Processes

_CANDIDATE = "postgresql.conf.candidate"
_TIMEOUT = 10.0
_MESSAGE = re.compile(r"\b(?:LOG|FATAL|ERROR): +(?P<text>.+)")
_SUMMARY = re.compile(r'configuration file ".*" contains errors')
_CONTROL = re.compile(r"^(?P<name>[^:]+): +(?P<value>.*)$", re.MULTILINE)


def find_fault(
    paths: ClusterPaths, installation: Installation, processes: Processes, text: str
) -> str | None:
    """Why PostgreSQL would refuse this text, in its own words; None if it would not.

    It is asked itself (``postgres -C``), with a file that no server reads: a value that it
    refuses would be passed over at a reload, and keep it from starting later.
    Raises ProcessFailed, OSError.
    """
    candidate = paths.root / _CANDIDATE
    write_if_changed(candidate, text, owner=processes.account)
    try:
        argv = [str(installation.bin / "postgres"), *("-C", "config_file")]
        done = processes.run([*argv, "-c", f"config_file={candidate}"], timeout=_TIMEOUT)
    finally:
        remove_file(candidate)
    if done.returncode == 0:
        return None
    told = [match["text"] for match in map(_MESSAGE.search, done.stdout.splitlines()) if match]
    reasons = [each for each in told if not _SUMMARY.fullmatch(each)]
    return "; ".join(reasons or told) or done.stdout.strip() or "PostgreSQL does not say why"


def find_floors(
    paths: ClusterPaths, installation: Installation, processes: Processes, *, is_running: bool
) -> dict[str, int]:
    """The least that some settings have to be for the server to start on its data.

    It does not start with fewer replication slots, or prepared transactions, than there are.
    After a crash, prepared transactions may stand in the write-ahead log alone: then there
    are at most as many as were allowed. Raises ProcessFailed.
    """
    prepared = _count_entries(paths.data / "pg_twophase")
    if not is_running:
        prepared = max(prepared, _count_unwritten(paths, installation, processes))
    slots = _count_entries(paths.data / "pg_replslot")
    return {"max_replication_slots": slots, "max_prepared_transactions": prepared}


def _count_unwritten(paths: ClusterPaths, installation: Installation, processes: Processes) -> int:
    """How many prepared transactions may stand in the write-ahead log alone."""
    argv = [str(installation.bin / "pg_controldata"), str(paths.data)]
    told = processes.run(argv, timeout=_TIMEOUT).stdout
    control = {match["name"]: match["value"] for match in _CONTROL.finditer(told)}
    allowed = control.get("max_prepared_xacts setting", "")
    if control.get("Database cluster state") == "shut down" or not allowed.isdigit():
        return 0
    return int(allowed)


def _count_entries(folder: Path) -> int:
    with contextlib.suppress(OSError):
        return sum(1 for _ in folder.iterdir())
    return 0
