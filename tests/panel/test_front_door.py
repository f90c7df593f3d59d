"""API and panel at one address."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from poolkeeper.control_plane.front_door import FrontDoor


def build(name: str) -> Starlette:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(name)

    return Starlette(routes=[Route("/{path:path}", answer)])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "headers", "who"),
    [
        ("/", {}, "panel"),
        ("/databases", {}, "panel"),
        ("/tokens", {}, "panel"),
        ("/v2/databases", {}, "api"),
        ("/v1/health", {}, "api"),
        ("/v2", {}, "api"),
        ("/v20", {}, "panel"),
        ("/docs/start.js", {}, "api"),
        ("/openapi.json", {}, "api"),
        ("/metrics", {}, "api"),
        ("/nothing", {"authorization": "Bearer x"}, "api"),
        ("/nothing", {"authorization": "bearer x"}, "api"),
        ("/databases", {"authorization": "Basic dXNlcjpwYXNzd29yZA=="}, "panel"),
    ],
)
async def test_who_answers(path: str, headers: dict[str, str], who: str) -> None:
    door = FrontDoor(build("api"), build("panel"))
    transport = httpx.ASGITransport(door)
    async with httpx.AsyncClient(transport=transport, base_url="https://x") as client:
        assert (await client.get(path, headers=headers)).text == who
