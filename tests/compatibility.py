"""docs/compatibility.md, from the routes and the tests as they are.

An operation is shown by a test that calls it through pydo, whose methods have the operations'
names, or else by one that sends its method and its address.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi.routing import APIRoute

from poolkeeper.api import other_engines, unavailable
from poolkeeper.api.app import ROUTERS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "compatibility.md"

_HEAD = """\
# Compatibility

Every operation of DigitalOcean's databases API, and those around it that its clients call, for
PostgreSQL: what it does here, and the test that shows it. This page is written by
`python -m tests.compatibility` from the server's own routes, and a test sees that it is true.

**supported**: as DigitalOcean documents it. **honest error**: it cannot be had on one host; the
error says why and what to do instead ([0014](decisions/0014-what-cannot-be-had.md)). **other
engine**: not for PostgreSQL, refused as DigitalOcean does.
"""


@dataclass(frozen=True)
class Operation:
    """One call of the API. ``does``: what it comes to, in a few words."""

    method: str
    path: str
    id: str | None
    does: str


@dataclass(frozen=True)
class Sample:
    """A test with the fixtures and functions that it uses.

    ``calls``: ``object.method``, as far as it can be read; ``texts``: what stands in it.
    """

    file: str
    name: str
    calls: frozenset[str]
    texts: tuple[str, ...]


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


def find_test(operation: Operation, samples: list[Sample]) -> Sample | None:
    """The test that shows an operation, those through DigitalOcean's clients first."""
    if operation.does == "other engine":
        return next(
            each for each in samples if each.name == "test_what_is_for_other_engines_is_refused"
        )
    called = _name_method(operation.id or "")
    by_name = (each for each in samples if called in each.calls)
    address = re.compile(
        ".*" + re.sub(r"\\\{\w+\\\}", r"[^/\\s]+", re.escape(_below(operation.path)))
    )
    by_address = (
        each
        for each in samples
        if _sends(each, operation.method) and any(map(address.fullmatch, each.texts))
    )
    return next(by_name, None) or next(by_address, None)


def render() -> str:
    """The page."""
    samples = list(_read_samples())
    lines = ["| operation | here | shown by |", "|---|---|---|"]
    for operation in list_operations():
        test = find_test(operation, samples)
        if test is None:
            raise LookupError(f"no test shows {operation.method} {operation.path}")
        path = operation.path.replace("{database_cluster_uuid}", "{id}")
        shown = f"[{test.name}](../{test.file})"
        lines.append(f"| `{operation.method} {path}` | {operation.does} | {shown} |")
    return _HEAD + "\n" + "\n".join(lines) + "\n"


def _sends(sample: Sample, method: str) -> bool:
    called = any(call.endswith(f".{method.lower()}") for call in sample.calls)
    return called or method in sample.texts


def _describe(route: APIRoute) -> str:
    module = route.endpoint.__module__
    if module == other_engines.__name__:
        return "other engine"
    if module != unavailable.__name__:
        return "supported"
    summary = (route.endpoint.__doc__ or "").partition("\n")[0].rstrip(".")
    kind = "supported" if (route.status_code or 200) < 400 else "honest error"
    return f"{kind}: {summary[:1].lower()}{summary[1:]}"


def _name_method(operation_id: str) -> str:
    """pydo's: ``databases_update_clusterSize`` → ``databases.update_cluster_size``."""
    name = operation_id.replace("_", ".", 1)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _below(path: str) -> str:
    """Tests name the cluster's address apart from what is below it."""
    return path.removeprefix("/v2/databases/{database_cluster_uuid}")


def _read_samples() -> Iterator[Sample]:
    files = sorted(ROOT.glob("tests/clients/test_*.py")) + sorted(ROOT.glob("tests/api/test_*.py"))
    for file in files:
        body = ast.parse(file.read_text()).body
        functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
        for node in functions.values():
            if node.name.startswith("test_"):
                yield _read_sample(str(file.relative_to(ROOT)), node, functions)


def _read_sample(
    file: str, test: ast.FunctionDef, functions: Mapping[str, ast.FunctionDef]
) -> Sample:
    used, found = [test], {test.name}
    for node in used:  # grows as it goes
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        names |= {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
        used += [functions[name] for name in sorted(names & functions.keys() - found)]
        found |= names
    parts = [part for node in used for part in ast.walk(node)]
    calls = {
        f"{_name(part.value)}.{part.attr}" for part in parts if isinstance(part, ast.Attribute)
    }
    texts = [
        "".join(map(_show, part.values)) if isinstance(part, ast.JoinedStr) else _show(part)
        for part in parts
        if isinstance(part, ast.JoinedStr | ast.Constant)
    ]
    return Sample(file, test.name, frozenset(calls), tuple(texts))


def _name(part: ast.expr) -> str:
    """The last word of what a method is called on."""
    if isinstance(part, ast.Attribute):
        return part.attr
    return part.id if isinstance(part, ast.Name) else ""


def _show(part: ast.AST) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "x"


if __name__ == "__main__":
    PAGE.write_text(render())
