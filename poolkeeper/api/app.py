"""The API as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import anyio.to_thread
from fastapi import FastAPI

import poolkeeper
from poolkeeper.api import clusters, databases, documentation, options, own, pools, tokens, users
from poolkeeper.api.problems import add_problem_handlers
from poolkeeper.api.requests import RequestLine
from poolkeeper.usecases.context import Context

# Requests hold a thread while they wait for the reconciler.
THREADS = 100

# The order counts: `options` would be taken for a cluster's id.
_ROUTERS = (
    own.open_router,
    options.router,
    clusters.router,
    databases.router,
    users.router,
    pools.router,
    own.router,
    tokens.router,
    documentation.router,
)


def build_app(context: Context, *, started_at: datetime) -> FastAPI:
    """The application. ``started_at``: since when the control plane is up."""
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
    add_problem_handlers(app)
    app.add_middleware(RequestLine)
    for router in _ROUTERS:
        app.include_router(router)
    return app


@asynccontextmanager
async def _raise_thread_limit(app: FastAPI) -> AsyncIterator[None]:
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = max(limiter.total_tokens, THREADS)
    yield
