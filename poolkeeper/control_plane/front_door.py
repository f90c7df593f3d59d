"""API and panel at one address: who is asked is told by the path, and by who asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

_API_PATHS = ("/v1", "/v2", "/docs", "/openapi.json", "/metrics")


class FrontDoor:
    """ASGI. What is neither the API's path nor asked with an API token is a page."""

    def __init__(self, api: Starlette, panel: Starlette) -> None:
        self._api = api
        self._panel = panel
        self._lifespan = Starlette(lifespan=self._live)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http" and not _is_for_api(scope):
            await self._panel(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    @asynccontextmanager
    async def _live(self, app: Starlette) -> AsyncIterator[None]:
        async with (
            self._api.router.lifespan_context(self._api),
            self._panel.router.lifespan_context(self._panel),
        ):
            yield


def _is_for_api(scope: Scope) -> bool:
    path: str = scope["path"]
    if any(path == own or path.startswith(f"{own}/") for own in _API_PATHS):
        return True
    # A client that mistyped gets the API's own 404, and not a page. Browsers send other kinds of
    # authorization along everywhere, where a proxy before us has asked for it.
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    return any(value.lower().startswith(b"bearer ") for value in given)
