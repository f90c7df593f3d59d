"""``/openapi.json`` and the reference at ``/docs``, which needs nothing from elsewhere.

Swagger UI's own files come from the package ``fastapi-offline``.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, HTMLResponse, Response

from poolkeeper.api.answers import Json

DESCRIPTION = """
Managed PostgreSQL connection pools on your own machines.

* **`/v2`** is DigitalOcean's databases API, for the clients that are made for it.
* **`/v1`** is our own: where clusters and pools stand, what a change would do, what happened.

Every call but `/v1/health` and `/metrics` carries `Authorization: Bearer TOKEN`. What a token may
do is in its scopes: `database:read`, `database:create`, `database:update`, `database:delete`,
`database:view_credentials` to see passwords, or `admin` for everything.

Errors look the same everywhere: `{"id": …, "message": …, "request_id": …}`; the last one is also
in the header `x-request-id`, and in the log.
"""

TAGS = [
    {"name": "Clusters", "description": "PostgreSQL services, and what can be had."},
    {"name": "Databases", "description": "Databases of a cluster."},
    {"name": "Users", "description": "Users of a cluster: roles that may log in."},
    {"name": "Trusted sources", "description": "Who may connect to a cluster and its pools."},
    {"name": "Pools", "description": "Connection pools of a cluster."},
    {"name": "Settings", "description": "Settings of a cluster's PostgreSQL and PgBouncer."},
    {"name": "Tags", "description": "Names by which clusters are found."},
    {"name": "Account", "description": "This installation, and the token that asks."},
    {"name": "Not to be had here", "description": "What takes a second node, or a backup."},
    {"name": "Metrics", "description": "Figures for Prometheus, and who may read them."},
    {"name": "Standing", "description": "Ours: where things stand and what happened."},
    {"name": "Tokens", "description": "Ours: who may do what."},
]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Poolkeeper API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<main id="reference"><noscript>This page needs JavaScript; <a href="/openapi.json">/openapi.json</a>
says the same.</noscript></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

_START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
});
"""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)

_ASSETS = Path(str(files("fastapi_offline"))) / "static"
_CACHED = {"cache-control": "max-age=3600", "x-content-type-options": "nosniff"}

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
def get_openapi(request: Request) -> Response:
    """The description of all routes."""
    return Json(request.app.openapi())


@router.get("/docs")
async def get_reference() -> Response:
    """The description, to be read by people."""
    return HTMLResponse(_PAGE, headers={"content-security-policy": _POLICY})


@router.get("/docs/start.js")
async def get_start() -> Response:
    """What makes the page show this server's description."""
    return Response(_START, media_type="text/javascript", headers=_CACHED)


@router.get("/docs/swagger-ui-bundle.js")
async def get_script() -> Response:
    """Swagger UI."""
    return FileResponse(_ASSETS / "swagger-ui-bundle.js", headers=_CACHED)


@router.get("/docs/swagger-ui.css")
async def get_style() -> Response:
    """Swagger UI's looks."""
    return FileResponse(_ASSETS / "swagger-ui.css", headers=_CACHED)
