"""docs/clients.md: what can be run of it here is run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plane import Plane, connect, running_plane

pytestmark = pytest.mark.timeout(300)
PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()


def read_block(section: str, language: str, number: int = 0) -> str:
    """A block of that language under a heading, counted from 0."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert number < len(found), f"{section} has {len(found)} blocks of {language}"
    return str(found[number])


@pytest.fixture
def first() -> Iterator[Plane]:
    # curl does not ask again when a cluster is not there in time.
    with running_plane("--empty", request_wait_seconds=60) as plane:
        yield plane


def run(plane: Plane, script: str) -> str:
    """Run a script after the page's preparation, at this test's place and port."""
    text = read_block("What all of them need", "sh") + script
    text = text.replace("/var/lib/poolkeeper", str(plane.home))
    text = text.replace("127.0.0.1:8443", f"127.0.0.1:{plane.api_port}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        env=plane.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_curl_tells_the_story(first: Plane) -> None:
    assert "/web?sslmode=require" in run(first, read_block("curl", "sh"))


def test_pydo_tells_the_story(first: Plane) -> None:
    program = first.state / "story.py"
    program.write_text(read_block("pydo", "python"))
    uri = run(first, f"{sys.executable} {program}").strip()
    with connect(uri) as client:
        assert client.execute("SELECT current_user, current_database()").fetchone() == (
            "app",
            "app",
        )
