"""Which figures there are, and one of them taken."""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import ModuleType

from bench.machine import describe_machine, describe_versions
from bench.report import Figure, Heading, Row

# In the order of the docs.
NAMES = (
    "creates",
    "changes",
    "parallel",
    "throughput",
    "idle",
    "rest",
    "latency",
    "panel",
    "seen",
    "cli",
    "restart",
)


class TookTooLong(Exception):
    """A figure was not taken within its limit."""


def load_figure(name: str) -> ModuleType:
    """The module that takes a figure."""
    return importlib.import_module(f"bench.{name}")


def describe_figure(name: str) -> Heading:
    """The title of a figure and how it is taken, for the docs."""
    module = load_figure(name)
    return Heading(name, module.TITLE, inspect.cleandoc(module.__doc__ or ""))


def take_figure(name: str, *, quick: bool) -> Figure:
    """Take one figure. One that cannot be taken has that in its table, with the reason."""
    module = load_figure(name)
    load_before = os.getloadavg()[0]
    started = time.monotonic()
    try:
        with time_limit(module.LIMIT):
            rows = module.run(quick)
    except Exception as error:
        traceback.print_exc()
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        rows = [Row("could not be taken", reason, met=False)]
    return Figure(
        name=name,
        rows=rows,
        taken_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        seconds=round(time.monotonic() - started),
        load_before=round(load_before, 2),
        machine=describe_machine(),
        versions=describe_versions(),
    )


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TookTooLong inside the block when it takes longer; what it opened is closed."""

    def give_up(*_: object) -> None:
        raise TookTooLong(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
