"""Data flows one way; an import against the stream fails here."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "poolkeeper"

# What each part may import of ours, itself included. A file beside the folders is a part.
ALLOWED = {
    "domain": {"domain"},
    "store": {"store", "domain"},
    "engine": {"engine", "domain"},
    "usecases": {"usecases", "store", "domain"},
    "reconcile": {"reconcile", "engine", "store", "domain"},
    "metrics": {"metrics", "engine", "store", "domain"},
    "exchange": set(),
    "api": {"api", "exchange", "metrics", "usecases", "domain"},
    "panel": {"panel", "exchange", "usecases", "domain"},
    "settings": {"settings", "domain"},
    "control_plane": {
        *("control_plane", "settings", "api", "panel", "usecases", "reconcile"),
        *("metrics", "engine", "store", "domain"),
    },
    "cli": {"cli", "control_plane", "settings", "domain"},
    "__main__": {"cli"},
    "__init__": set(),
}


def read_imports(path: Path) -> set[str]:
    """The parts of ours that a file imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "poolkeeper":
                names = [f"poolkeeper.{alias.name}" for alias in node.names]
        parts = (name.split(".") for name in names)
        found |= {part[1] for part in parts if part[0] == "poolkeeper" and len(part) > 1}
    return found - {"__version__"}


def test_every_import_runs_with_the_stream() -> None:
    against = [
        f"{path.relative_to(PACKAGE)} imports {part}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for part in sorted(read_imports(path))
        if part not in ALLOWED[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]
    ]
    assert against == []


def test_the_domain_does_no_io_and_knows_no_clock_and_no_chance() -> None:
    forbidden = {"os", "time", "random", "secrets", "socket", "subprocess", "threading", "psycopg"}
    for path in (PACKAGE / "domain").glob("*.py"):
        imported = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not imported & forbidden, path.name
