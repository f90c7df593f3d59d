"""godo, DigitalOcean's own Go client, as Debian packages it: see godo/databases_test.go."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.test_clients_page import read_block, run
from tests.plane import Plane, running_plane

# A slow machine takes long to compile.
pytestmark = pytest.mark.timeout(600)
SOURCE = Path(__file__).parent / "godo"
STORIES = re.findall(r"^func (Test\w+)", (SOURCE / "databases_test.go").read_text(), re.MULTILINE)
# Where Debian's packages of Go libraries put them.
LIBRARIES = "/usr/share/gocode"


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    """A control plane of its own: the stories count clusters."""
    with running_plane("--empty", drain_seconds=2) as plane:
        yield plane


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stories, compiled. Without Go and godo this fails: `scripts/setup --dev` brings them."""
    folder = tmp_path_factory.mktemp("godo")
    program = folder / "stories"
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": LIBRARIES,
        "GOCACHE": str(folder / "cache"),
    }
    command = ["go", "test", "-c", "-o", str(program), "."]
    done = subprocess.run(
        command, cwd=SOURCE, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("story", STORIES)
def test_godo(story: str, program: Path, plane: Plane) -> None:
    """One story of godo/databases_test.go."""
    environment = {
        **os.environ,
        "POOLKEEPER_URL": plane.url,
        "POOLKEEPER_TOKEN": plane.token,
        "POOLKEEPER_CA": str(plane.ca),
    }
    command = [str(program), "-test.run", f"^{story}$", "-test.timeout", "300s", "-test.v"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"--- PASS: {story}" in done.stdout, done.stdout


def test_a_go_program_trusts_what_the_page_says(program: Path, plane: Plane) -> None:
    story = "TestTagsAsTerraformEditsThem"
    script = f"""
        HOME={plane.state}
        {read_block("What all of them need", "sh", 1)}
        export POOLKEEPER_URL=$DIGITALOCEAN_API_URL POOLKEEPER_TOKEN=$DIGITALOCEAN_ACCESS_TOKEN
        {program} -test.run '^{story}$' -test.v
        ! env --unset=SSL_CERT_FILE {program} -test.run '^{story}$'
    """
    told = run(plane, script)
    assert f"--- PASS: {story}" in told
    assert "certificate signed by unknown authority" in told
