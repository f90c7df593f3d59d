"""Which PgBouncer runs, and whether it is new enough."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from poolkeeper.domain.errors import EngineError

MINIMUM = (1, 24)
SYSTEM = Path("/usr/sbin/pgbouncer")

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Binary:
    """An executable and what ``--version`` says."""

    path: Path
    version: Version

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))


def find_binary(chosen: Path | None, state_dir: Path) -> Binary:
    """The PgBouncer to run: the one chosen, else the private one, else the system's.

    Raises EngineError when there is none, or only an older one than 1.24.
    """
    private = state_dir / "pgbouncer" / "current" / "bin" / "pgbouncer"
    on_path = shutil.which("pgbouncer")
    places = [chosen] if chosen else [private, SYSTEM, *([Path(on_path)] if on_path else [])]
    found = [read_version(place) for place in places if place.is_file()]
    usable = [binary for binary in found if binary.version[:2] >= MINIMUM]
    if usable:
        return usable[0]
    wanted = f"{MINIMUM[0]}.{MINIMUM[1]} or newer"
    advice = "run scripts/install-pgbouncer, or install PGDG's package, or name one by --pgbouncer"
    if found:
        raise EngineError(
            f"{found[0].path} is PgBouncer {found[0].version_text}; {wanted} is needed: {advice}"
        )
    looked = ", ".join(str(place) for place in places)
    raise EngineError(f"no PgBouncer found (looked for {looked}); {wanted} is needed: {advice}")


def read_version(path: Path) -> Binary:
    """Ask a binary for its version. Raises EngineError if it is no PgBouncer."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = error.strerror if isinstance(error, OSError) else "it does not tell its version"
        raise EngineError(f"{path} cannot be run: {why}; name another by --pgbouncer") from error
    return Binary(path, parse_version(done.stdout + done.stderr, str(path)))


def parse_version(text: str, source: str) -> Version:
    """``PgBouncer 1.26.1`` as (1, 26, 1). Raises EngineError."""
    match = re.search(r"PgBouncer (\d+)\.(\d+)(?:\.(\d+))?", text)
    if match is None:
        raise EngineError(
            f"{source} is no PgBouncer, it says {text.strip()[:200]!r}; name another by --pgbouncer"
        )
    return int(match[1]), int(match[2]), int(match[3] or 0)
