"""What holds for every shell script of the project."""

from __future__ import annotations

import re
import subprocess
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


def run_script(body: str) -> subprocess.CompletedProcess[str]:
    """Under the same rules as the scripts, with what they say."""
    text = f"set -euo pipefail; source {ROOT}/scripts/lib/messages.sh\n{body}"
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "body",
    ["false", "step() { false; }; step", "true | false", "x=$(false)", "(exit 1)", "false | cat"],
)
def test_a_script_does_not_end_without_a_word(body: str) -> None:
    ended = run_script(f"{body}\necho reached")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("error: ") == 1 and "ended with status 1" in ended.stderr


@pytest.mark.parametrize(
    "body",
    [
        "if false; then :; fi",
        "false || true",
        "step() { false; true; }; step || true",
        "x=$(false; echo y)",
        "while read -r line; do :; done < <(false)",
    ],
)
def test_what_may_fail_is_not_spoken_of(body: str) -> None:
    ended = run_script(f"{body}\necho reached")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "reached\n", "")


@pytest.mark.parametrize("where", ["{}", "x=$({})", "({})", "step() {{ {}; }}; step"])
def test_what_was_prepared_for_is_said_once(where: str) -> None:
    ended = run_script(where.format("fail 'no room' 'Make some.'"))
    assert (ended.returncode, ended.stderr) == (1, "error: no room\n       Make some.\n")
