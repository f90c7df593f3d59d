"""Every page of the panel has an address; a new one is among them by itself."""

from __future__ import annotations

from typing import cast

from starlette.routing import Route

from poolkeeper.panel.app import build_panel
from poolkeeper.usecases.context import Context

# Nobody looks at them: they lead to a page, show another one again, or are sent to scripts and as
# files.
NO_PAGES = ("/favicon.ico", "/live", "/live/ping", "/tokens/{token_id}/revoke")
_FILES = (".json", ".crt")


def list_routes(method: str = "GET") -> list[str]:
    """The paths that are answered, as they are declared, but for those that take any path."""
    panel = build_panel(cast(Context, None))
    paths = [
        route.path
        for route in panel.routes
        if isinstance(route, Route) and method in (route.methods or ())
    ]
    return [path for path in dict.fromkeys(paths) if ":path}" not in path]


def list_pages(
    cluster_id: object, *, pool: str, user: str = "doadmin", database: str = "defaultdb"
) -> list[str]:
    """The addresses of all pages, about that cluster and these parts of it."""
    return [
        compose(path, cluster_id, pool=pool, user=user, database=database)
        for path in list_routes()
        if path not in NO_PAGES and not path.endswith(_FILES) and path not in ("/", "/sign-in")
    ]


def compose(path: str, cluster_id: object, *, pool: str, user: str, database: str) -> str:
    """A declared path with all its parts filled in. Raises ValueError for an unknown one."""
    parts = {
        "/databases/{cluster_id}": f"/databases/{cluster_id}",
        "/pools/{name}": f"/pools/{pool}",
        "/users/{name}": f"/users/{user}",
        "/dbs/{name}": f"/dbs/{database}",
        "/tokens/{token_id}": "/tokens/0123456789abcdef",
    }
    for part, stands_for in parts.items():
        path = path.replace(part, stands_for)
    if "{" in path:
        raise ValueError(f"nothing stands for a part of {path}")
    return path
