"""What the README tells newcomers to type works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plane import Plane, running_plane, wait_until

README = Path(__file__).parents[2] / "README.md"

_BLOCK = re.compile(r"^```(?P<language>sh|python)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


def list_blocks() -> list[tuple[str, str]]:
    section = README.read_text().partition("## Your first pool\n")[2].partition("\n## ")[0]
    return [(match["language"], match["text"]) for match in _BLOCK.finditer(section)]


@pytest.fixture(scope="module")
def first() -> Iterator[Plane]:
    """A Poolkeeper as the first start makes it."""
    with running_plane() as plane:
        wait_until("it says that it stands ready", lambda: "main-pool" in plane.output.read_text())
        yield plane


def run(plane: Plane, language: str, text: str) -> str:
    """Run a block as it is, but for this test's place and port; what it prints."""
    text = text.replace("/var/lib/poolkeeper", str(plane.home))
    text = text.replace("127.0.0.1:8443", f"127.0.0.1:{plane.api_port}")
    shell = ["bash", "-euo", "pipefail", "-c", text]
    programs = Path(sys.executable).parent
    done = subprocess.run(
        shell if language == "sh" else [sys.executable, "-c", text],
        env={**plane.environment, "PATH": f"{programs}:{plane.environment['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_is_a_first_pool_for_each_client() -> None:
    texts = [text for _, text in list_blocks()]
    assert len(texts) == 3
    for text, client in zip(texts, ("poolkeeper", "curl", "pydo"), strict=True):
        assert client in text


@pytest.mark.parametrize(
    ("number", "name", "says"),
    [
        (0, "cli-pool", "(1 row)"),
        (1, "curl-pool", "/curl-pool?sslmode=require"),
        (2, "pydo-pool", "('PostgreSQL "),
    ],
    ids=["command line", "curl", "pydo"],
)
def test_the_first_pool(first: Plane, number: int, name: str, says: str) -> None:
    language, text = list_blocks()[number]
    assert says in run(first, language, text)
    listed = first.run("databases", "pool", "list", "main", "--format", "Name", "--no-header")
    assert name in listed.stdout.split()
