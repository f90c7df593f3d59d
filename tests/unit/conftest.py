"""Folders short enough for a state directory, which pytest's own are not in parallel runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """As pytest's, but with a path of a few characters, and gone at the end."""
    with tempfile.TemporaryDirectory(prefix="pk-") as folder:
        yield Path(folder).resolve()
