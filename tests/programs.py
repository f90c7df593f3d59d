"""PostgreSQL's programs as they are, but for one that is a test's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from poolkeeper import settings


@contextmanager
def replaced_program(name: str, script: str) -> Iterator[tuple[str, Path]]:
    """Each installation with ``name`` replaced: the value of POOLKEEPER_POSTGRES_PREFIXES for it,
    and a folder that the script may look into.

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
        yield str(folder), folder
    finally:
        shutil.rmtree(folder)
