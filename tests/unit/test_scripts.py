"""What holds for every shell script of the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = [
    path
    for path in sorted([*(ROOT / "scripts").rglob("*"), ROOT / ".ci" / "run"])
    if path.is_file()
]
# It ends before its input does.
_LEAVES_EARLY = re.compile(
    r"\|\s*(?:head\b|grep\s+-\w*[qm]|sed\s[^|']*'[^']*q|awk\s[^|']*'[^']*\bexit\b)"
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_reader_of_a_pipe_leaves_early(script: Path) -> None:
    """With ``pipefail``, whoever writes to it then ends the script by SIGPIPE, now and then."""
    assert not _LEAVES_EARLY.findall(script.read_text())


def test_a_reader_that_leaves_early_is_seen() -> None:
    for line in ("ldconfig -p | awk '{ print; exit }'", "x | head -n 1", "x | grep -qF y"):
        assert _LEAVES_EARLY.search(line), line
    assert not _LEAVES_EARLY.search("x | awk '!n++ { print }' # exit")
