"""The API as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import anyio.to_thread
from fastapi import FastAPI

import poolkeeper
from poolkeeper.api import (
    account,
    cluster_settings,
    clusters,
    config,
    databases,
    documentation,
    events,
    firewall,
    maintenance,
    metrics,
    options,
    other_engines,
    own,
    pools,
    samples,
    sign_in_links,
    tags,
    tokens,
    unavailable,
    users,
)
from poolkeeper.api.problems import add_problem_handlers
from poolkeeper.api.rates import RateLimits
from poolkeeper.api.requests import RequestLine
from poolkeeper.usecases.context import Context

# Changes hold a thread while they wait for the reconciler; reads find one all the same.
THREADS = 100
CHANGES_AT_ONCE = 80

# The order counts: `options` would be taken for a cluster's id.
ROUTERS = (
    own.open_router,
    metrics.open_router,
    metrics.router,
    options.router,
    clusters.router,
    maintenance.router,
    databases.router,
    users.router,
    pools.router,
    config.router,
    firewall.router,
    cluster_settings.router,
    events.router,
    tags.router,
    tags.creating_router,
    account.router,
    unavailable.router,
    other_engines.router,
    own.router,
    samples.router,
    tokens.router,
    sign_in_links.router,
    documentation.router,
)


def build_app(
    context: Context, *, started_at: datetime, rates: RateLimits | None = None
) -> FastAPI:
    """The application. ``started_at``: since when the control plane is up. ``rates`` None: no
    limits."""
    app = FastAPI(
        title="Poolkeeper API",
        version=poolkeeper.__version__,
        description=documentation.DESCRIPTION,
        openapi_tags=documentation.TAGS,
        openapi_url=None,
        redirect_slashes=False,
        strict_content_type=False,
        lifespan=_raise_thread_limit,
    )
    app.state.context = context
    app.state.started_at = started_at
    app.state.rates = rates or RateLimits()
    app.state.changes = asyncio.Semaphore(CHANGES_AT_ONCE)
    add_problem_handlers(app)
    app.add_middleware(RequestLine)
    for router in ROUTERS:
        app.include_router(router)
    return app


@asynccontextmanager
async def _raise_thread_limit(app: FastAPI) -> AsyncIterator[None]:
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = max(limiter.total_tokens, THREADS)
    yield
