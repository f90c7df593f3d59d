"""The panel as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from poolkeeper.panel import live_numbers
from poolkeeper.panel.assets import Assets
from poolkeeper.panel.drawings import Drawings
from poolkeeper.panel.live import Latest, Live, Numbers
from poolkeeper.panel.pages import (
    cluster,
    configuration,
    connect,
    create_cluster,
    danger,
    databases,
    dbs,
    events,
    fallback,
    pool,
    pool_forms,
    pools,
    resize,
    settings,
    sign_in,
    theme,
    tokens,
    trusted_sources,
    user,
    users,
)
from poolkeeper.panel.patience import Patience
from poolkeeper.panel.rendering import Renderer
from poolkeeper.panel.requests import PanelRequests
from poolkeeper.panel.security import SecurityHeaders
from poolkeeper.panel.sparklines import Sparklines
from poolkeeper.panel.streams import answer_ping, stream_live
from poolkeeper.usecases.context import Context

# The order counts: `new` would be taken for a cluster's id, and the fallback takes everything.
_PAGES = (
    sign_in.pages,
    theme.pages,
    databases.pages,
    create_cluster.pages,
    cluster.pages,
    pools.pages,
    pool_forms.pages,
    connect.pages,
    pool.pages,
    settings.pages,
    resize.pages,
    configuration.pages,
    danger.pages,
    users.pages,
    user.pages,
    dbs.pages,
    trusted_sources.pages,
    tokens.pages,
    events.pages,
    fallback.pages,
)

_SMALLEST_COMPRESSED = 600

# Of the threads that there are without the API.
_CHANGES_AT_ONCE = 20


def build_panel(
    context: Context, *, latest: Latest | None = None, changes: asyncio.Semaphore | None = None
) -> Starlette:
    """The application. ``latest``: the live numbers of a cluster, where more is known than
    what was last seen of its pools. ``changes``: how many may wait for the reconciler at once,
    of the API and of forms together.

    Its ``state.live`` is the broadcaster; tell it ``is_stopping`` when there is a server.
    """

    def read_latest(cluster_id: UUID) -> Numbers:
        return live_numbers.read_latest(context, cluster_id)

    assets = Assets()
    live = Live(context, latest or read_latest, lambda: live_numbers.summarise(context))
    app = Starlette(
        routes=[
            Route("/static/{digest}/{name:path}", assets.answer),
            Route("/live", stream_live),
            Route("/live/ping", answer_ping),
            *(route for pages in _PAGES for route in pages.routes),
        ],
        middleware=[
            # Around all, so that the last resort has them, too.
            Middleware(SecurityHeaders),
            Middleware(PanelRequests),
            Middleware(GZipMiddleware, minimum_size=_SMALLEST_COMPRESSED, compresslevel=5),
        ],
        lifespan=_broadcast,
    )
    app.state.context = context
    app.state.assets = assets
    app.state.renderer = Renderer(assets)
    app.state.live = live
    app.state.changes = changes or asyncio.Semaphore(_CHANGES_AT_ONCE)
    app.state.patience = Patience()
    app.state.sparklines = Sparklines()
    app.state.drawings = Drawings()
    return app


@asynccontextmanager
async def _broadcast(app: Starlette) -> AsyncIterator[None]:
    task = asyncio.create_task(app.state.live.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
