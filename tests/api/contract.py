"""Answers, checked against descriptions: DigitalOcean's, where it is at hand, and our own."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

VARIABLE = "POOLKEEPER_CONTRACT"
_BESIDE = Path(__file__).parents[3] / "shared" / "contract" / "databases.openapi.json"


def find_contract() -> Path | None:
    """DigitalOcean's description, if this machine has it."""
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else _BESIDE
    return path if path.is_file() else None


@dataclass(frozen=True)
class Operation:
    """One operation of a description."""

    method: str
    template: str
    id: str
    description: Mapping[str, Any]

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """What its addresses look like."""
        return re.compile(re.sub(r"\\{[^/]+?\\}", "[^/]+", re.escape(self.template)))


class Contract:
    """An OpenAPI document to hold answers against. ``checked``: which were, with their status.

    ``strict``: that an operation or a status is not described is a fault, too.
    """

    def __init__(self, document: Mapping[str, Any], *, strict: bool) -> None:
        self._document = document if strict else _modernize(document)
        self._strict = strict
        # Those without parameters first: `options` is no cluster's id.
        self.operations = sorted(
            _list_operations(self._document), key=lambda item: item.template.count("{")
        )
        self._validators: dict[tuple[str, int], Draft202012Validator] = {}
        self.checked: set[tuple[str, int]] = set()

    @classmethod
    def load(cls, path: Path) -> Contract:
        return cls(json.loads(path.read_text()), strict=False)

    def check(self, response: httpx.Response) -> None:
        """Fails unless the answer is as it is described."""
        request = response.request
        operation = self._find(request.method, request.url.raw_path.decode().partition("?")[0])
        if operation is None:
            unlisted = "not supported for this cluster type" in response.text
            assert not self._strict or unlisted or response.status_code in (401, 403, 404, 405), (
                f"{request.method} {request.url.path} is not described"
            )
            return
        responses = operation.description["responses"]
        described = responses.get(str(response.status_code), responses.get("default"))
        assert described is not None or response.status_code == 405, (
            f"{operation.id} is not described as answering {response.status_code}"
        )
        if described is not None:
            self._check_body(operation, described, response)
            self.checked.add((operation.id, response.status_code))

    def _check_body(
        self, operation: Operation, described: Mapping[str, Any], response: httpx.Response
    ) -> None:
        kinds = described.get("content", {})
        if kinds and "application/json" not in kinds:
            assert response.headers["content-type"].partition(";")[0] in kinds
            return
        content = kinds.get("application/json")
        if content is None:
            assert response.content == b"", f"{operation.id} has a body, and should have none"
            return
        validator = self._validators.get((operation.id, response.status_code))
        if validator is None:
            schema = {**content["schema"], "components": self._document.get("components", {})}
            validator = Draft202012Validator(schema)
            self._validators[operation.id, response.status_code] = validator
        faults = [
            f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}"
            for fault in validator.iter_errors(response.json())
        ]
        assert not faults, f"{operation.id} {response.status_code}: {faults}"

    def _find(self, method: str, path: str) -> Operation | None:
        for operation in self.operations:
            if operation.method == method and operation.pattern.fullmatch(path):
                return operation
        return None


def _list_operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    for template, item in document["paths"].items():
        for method, description in item.items():
            if "operationId" in description:
                yield Operation(method.upper(), template, description["operationId"], description)


def _modernize(node: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` in the words of JSON Schema."""
    if isinstance(node, list):
        return [_modernize(item) for item in node]
    if not isinstance(node, dict):
        return node
    modern = {key: _modernize(value) for key, value in node.items()}
    if modern.pop("nullable", False) is True:
        return {"anyOf": [modern, {"type": "null"}]}
    return modern
