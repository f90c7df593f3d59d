"""The API's description, and the page that shows it."""

from __future__ import annotations

import re

import httpx
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.api.front import Front


def test_openapi_needs_no_token(front: Front) -> None:
    response = httpx.get(f"{front.url}/openapi.json", timeout=60)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json() == front.app.openapi()


def test_every_operation_is_documented(front: Front) -> None:
    document = front.app.openapi()
    ids = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            ids.append(operation["operationId"])
            assert operation["summary"] and operation["description"], (method, path)
            assert len(operation["tags"]) == 1
            if path == "/v1/health":
                assert "security" not in operation
                continue
            if path == "/metrics":
                assert operation["security"] == [{"basic_auth": []}]
                assert {"401", "500"} <= operation["responses"].keys()
                continue
            assert [list(scheme) for scheme in operation["security"]] == [["bearer_auth"]]
            assert {"401", "403", "404", "422", "500"} <= operation["responses"].keys()
    assert len(ids) == len(set(ids))
    assert document["components"]["securitySchemes"]["bearer_auth"]["scheme"] == "bearer"
    assert document["components"]["securitySchemes"]["basic_auth"]["scheme"] == "basic"
    assert {tag["name"] for tag in document["tags"]} >= {"Pools", "Clusters"}


def test_schemas_are_schemas(front: Front) -> None:
    document = front.app.openapi()
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_page_needs_nothing_from_elsewhere(front: Front) -> None:
    page = httpx.get(f"{front.url}/docs", timeout=60)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "'self'" in page.headers["content-security-policy"]
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert not [address for address in addresses if address.startswith(("http", "//"))]
    for address in addresses:
        if address.startswith("/"):
            assert httpx.get(front.url + address, timeout=60).status_code == 200, address
    assert "SwaggerUIBundle" in httpx.get(f"{front.url}/docs/start.js", timeout=60).text


def test_other_files_are_not_served(front: Front) -> None:
    for path in ("/docs/redoc.standalone.js", "/docs/..%2f..%2fetc%2fpasswd", "/redoc"):
        assert httpx.get(front.url + path, timeout=60).status_code == 404
