"""Somebody at a terminal: a command with a pty, and answers typed when they are asked for."""

from __future__ import annotations

import os
import pty
import select
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.plane import COMMAND


@dataclass(frozen=True)
class Session:
    """What was seen on the screen, and how the command ended."""

    screen: str
    code: int


def type_at(
    environment: Mapping[str, str],
    arguments: Sequence[str],
    answers: Sequence[tuple[str, str]] = (),
    timeout: float = 180.0,
) -> Session:
    """Runs a command of the CLI; each answer is typed once its question has appeared."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(COMMAND[0], [*COMMAND, *arguments], dict(environment))
    screen, asked, deadline = b"", 0, time.monotonic() + timeout
    waiting = list(answers)
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            seen = os.read(terminal, 65536)
        except OSError:  # the command has ended
            break
        screen += seen
        if waiting and waiting[0][0].encode() in screen[asked:]:
            asked = len(screen)
            os.write(terminal, f"{waiting.pop(0)[1]}\n".encode())
    else:
        os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return Session(screen.decode(errors="replace"), os.waitstatus_to_exitcode(status))
