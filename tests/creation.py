"""Clusters that stay in creation for as long as a test looks at that."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from poolkeeper import settings
from tests.plane import Plane, running_plane

# PostgreSQL's own, which begins once nobody looks any more.
_INITDB = """#!/bin/sh
while [ -e {folder}/held ]; do sleep 0.05; done
exec {real}/initdb "$@"
"""


@contextmanager
def holdable_plane(**more: object) -> Iterator[Plane]:
    """A started control plane without clusters, whose creations can be held."""
    with (
        replaced_program("initdb", _INITDB) as prefixes,
        running_plane("--empty", postgres_prefixes=prefixes, **more) as plane,
    ):
        yield plane


@contextmanager
def held_creation(plane: Plane) -> Iterator[None]:
    """No new cluster of such a control plane gets beyond its first step meanwhile."""
    held = Path(plane.environment["POOLKEEPER_POSTGRES_PREFIXES"]) / "held"
    held.touch()
    try:
        yield
    finally:
        held.unlink()


@contextmanager
def replaced_program(name: str, script: str) -> Iterator[Path]:
    """PostgreSQL's installations with one program replaced by a script: a value for
    POOLKEEPER_POSTGRES_PREFIXES.

    In the script ``{folder}`` is that folder, and ``{real}`` the one of the real programs.
    """
    folder = Path(tempfile.mkdtemp(prefix="pk-programs-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        prefix = settings.load({}, os.environ).settings.postgres_prefixes[0]
        for real in prefix.glob("*/bin"):
            programs = folder / real.relative_to(prefix)
            programs.mkdir(parents=True)
            for program in real.iterdir():
                (programs / program.name).symlink_to(program)
            (programs / name).unlink()
            (programs / name).write_text(script.format(folder=folder, real=real))
            (programs / name).chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)
