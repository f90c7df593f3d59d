"""Starting Poolkeeper so that it outlives the terminal, and hearing from it how that went.

The child has one end of a pipe. It writes one line there, the summary or the error; a child
that dies without a word closes it all the same. So the parent needs neither to poll nor to
guess, and the passwords in the summary touch no file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from poolkeeper.cli.dialogue import show_progress
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.summary import StartSummary
from poolkeeper.cli.tail import read_last_lines

OUTPUT_FILE = "up.out"
DETACH_FLAG = "--detach"


def start_detached(state_dir: Path, arguments: Sequence[str]) -> StartSummary:
    """Runs the same command line, less ``--detach``, in a session of its own.

    Returns what the child tells once it serves; raises CommandFailed with its error.
    """
    output = _prepare_output(state_dir)
    reader, writer = os.pipe()
    child_arguments = [word for word in arguments if word != DETACH_FLAG]
    with output.open("wb") as sink:
        child = subprocess.Popen(
            [sys.executable, "-m", "poolkeeper", *child_arguments, f"--report-to={writer}"],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            pass_fds=[writer],
            start_new_session=True,
        )
    os.close(writer)
    try:
        with show_progress(f"Starting Poolkeeper in {state_dir}"), os.fdopen(reader) as pipe:
            line = pipe.readline()
    except KeyboardInterrupt:
        child.send_signal(signal.SIGTERM)
        raise
    return _interpret(line, child, output)


def leave_terminal(descriptor: int) -> None:
    """What the child does first: it keeps no folder busy, and the pipe to itself."""
    os.set_inheritable(descriptor, False)
    os.chdir("/")


def report_summary(descriptor: int, summary: StartSummary) -> None:
    """Tells the waiting parent that Poolkeeper runs, and lets it go."""
    _report(descriptor, {"summary": asdict(summary)})


def report_failure(descriptor: int, message: str) -> None:
    """Tells the waiting parent why Poolkeeper does not run, if it still waits."""
    _report(descriptor, {"error": message})


def _report(descriptor: int, message: object) -> None:
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as pipe:
            pipe.write(json.dumps(message) + "\n")
    except OSError:
        pass  # said already, or the parent is gone: nobody is left to hear it


def _prepare_output(state_dir: Path) -> Path:
    path = state_dir / "logs" / OUTPUT_FILE
    try:
        # The state folder must be fit for the servers' account, which the child sees to:
        # only what is missing is made here.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as wrong:
        raise CommandFailed(
            f"cannot write to {wrong.filename}: {wrong.strerror}; choose another --state-dir"
        ) from None
    return path


def _interpret(line: str, child: subprocess.Popen[bytes], output: Path) -> StartSummary:
    if not line:
        code = child.wait()
        last = " ".join(read_last_lines(output, 1)) or "it said nothing"
        raise CommandFailed(f"Poolkeeper ended with {code} while it started: {last}; see {output}")
    told = json.loads(line)
    if "error" in told:
        child.wait()
        raise CommandFailed(told["error"])
    return StartSummary(**told["summary"])
