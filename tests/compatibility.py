"""docs/compatibility.md, from the routes as they are and the tests that say what they show."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

import pytest
from fastapi.routing import APIRoute

from poolkeeper.api import other_engines, unavailable
from poolkeeper.api.app import ROUTERS
from tests.shows import MARK

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "compatibility.md"

_HEAD = """\
# Compatibility

Every operation of DigitalOcean's databases API, and those around it that its clients call, for
PostgreSQL: what it does here, and the test that shows it. This page is written by
`python -m tests.compatibility` from the server's own routes and from the tests, each of which says
which operations it shows and fails if it does not ask for them.

**supported**: as DigitalOcean documents it. **honest error**: it cannot be had on one host; the
error says why and what to do instead ([0014](decisions/0014-what-cannot-be-had.md)). **other
engine**: not for PostgreSQL, refused as DigitalOcean does. **differs**: DigitalOcean has it for
PostgreSQL, too, and here it is refused as for another engine.
"""

_LOG_SINKS = "differs: the servers' logs stay on the host"


@dataclass(frozen=True)
class Operation:
    """One call of the API. ``does``: what it comes to, in a few words."""

    method: str
    path: str
    id: str | None
    does: str

    @property
    def name(self) -> str:
        """How marks and the page call it."""
        return f"{self.method} {self.path.replace('{database_cluster_uuid}', '{id}')}"


@dataclass(frozen=True)
class Showing:
    """A test that says it shows an operation."""

    operation: str
    file: str
    test: str


def list_operations() -> list[Operation]:
    """What the server knows of DigitalOcean's API, by address."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    found = [
        Operation(method, route.path, route.operation_id, _describe(route))
        for route in routes
        for method in route.methods
        if route.path.startswith(("/v2/", "/v1/oauth/"))
    ]
    return sorted(found, key=lambda each: (each.path, each.method))


def list_showings() -> list[Showing]:
    """What the tests say, those through DigitalOcean's clients first."""
    files = sorted(ROOT.glob("tests/clients/test_*.py")) + sorted(ROOT.glob("tests/api/test_*.py"))
    return [showing for file in files for showing in _read_showings(file)]


def render() -> str:
    """The page. Raises LookupError if no test shows an operation, or one that there is not."""
    operations, showings = list_operations(), list_showings()
    unknown = {each.operation for each in showings} - {each.name for each in operations}
    if unknown:
        raise LookupError(f"tests show what there is not: {sorted(unknown)}")
    lines = ["| operation | here | shown by |", "|---|---|---|"]
    for operation in operations:
        test = next((each for each in showings if each.operation == operation.name), None)
        if test is None:
            raise LookupError(f"no test shows {operation.name}")
        shown = f"[{test.test}](../{test.file})"
        lines.append(f"| `{operation.name}` | {operation.does} | {shown} |")
    return _HEAD + "\n" + "\n".join(lines) + "\n"


def name_method(operation_id: str) -> str:
    """pydo's: ``databases_update_clusterSize`` → ``databases.update_cluster_size``."""
    name = operation_id.replace("_", ".", 1)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _describe(route: APIRoute) -> str:
    module = route.endpoint.__module__
    if module == other_engines.__name__:
        return _LOG_SINKS if "/logsink" in route.path else "other engine"
    if module != unavailable.__name__:
        return "supported"
    summary = (route.endpoint.__doc__ or "").partition("\n")[0].rstrip(".")
    kind = "supported" if (route.status_code or 200) < 400 else "honest error"
    return f"{kind}: {summary[:1].lower()}{summary[1:]}"


def _read_showings(file: Path) -> Iterator[Showing]:
    path = file.relative_to(ROOT)
    module = importlib.import_module(".".join(path.with_suffix("").parts))
    for name, test in vars(module).items():
        if isinstance(test, FunctionType) and name.startswith("test_"):
            for mark in _list_marks(test):
                for operation in mark.args:
                    yield Showing(operation, str(path), name)


def _list_marks(test: FunctionType) -> Iterator[pytest.Mark]:
    """The test's own, and those of its parameters."""
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == MARK:
            yield mark
        elif mark.name == "parametrize":
            for row in mark.args[1]:
                yield from (each for each in getattr(row, "marks", ()) if each.name == MARK)


if __name__ == "__main__":
    PAGE.write_text(render())
