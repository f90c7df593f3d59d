"""Who calls, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

from fastapi import APIRouter, Request, Security, params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer, SecurityScopes
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from poolkeeper.api.paths import parse_cluster_id
from poolkeeper.api.problems import DOCUMENTED
from poolkeeper.api.repeats import Handler, watch_delivery
from poolkeeper.domain.errors import InvalidRequest, NotFound, Unauthenticated
from poolkeeper.domain.tokens import ADMIN, CREATE, DELETE, READ, UPDATE, VIEW_CREDENTIALS, Token
from poolkeeper.usecases.attempts import Attempt
from poolkeeper.usecases.clusters import require_live_cluster
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.tokens import authenticate

# Only so that /openapi.json tells how to log in.
_bearer = HTTPBearer(
    scheme_name="bearer_auth",
    auto_error=False,
    description="An API token: 64 hexadecimal characters.",
)


@dataclass(frozen=True)
class Caller:
    """Who calls, and what their call works with."""

    context: Context
    token: Token
    attempt: Attempt | None = None

    @property
    def actor(self) -> str:
        """Who the audit trail says it was."""
        return self.token.name

    @property
    def may_see_passwords(self) -> bool:
        return self.token.allows(VIEW_CREDENTIALS)


class GuardedRoute(APIRoute):
    """A route that asks for a token before it looks at anything that was sent.

    What is wrong with a request to a cluster that is not there is said of the cluster: clients
    look for 404, whatever else they sent.
    """

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        if self.methods == {"POST"} and self.status_code == 201:
            handle = watch_delivery(handle)

        async def guard(request: Request) -> Response:
            value = _read_token(request)
            request.state.token = token = await run_in_threadpool(
                authenticate, request.app.state.context, value
            )
            request.state.allowance = request.app.state.rates.spend(token.id)
            if request.state.allowance is not None:
                request.state.allowance.demand()
            _refuse_nul(request)
            try:
                if request.method == "GET":
                    return await handle(request)
                async with request.app.state.changes:
                    return await handle(request)
            except (RequestValidationError, InvalidRequest, HTTPException):
                # Of a body that cannot be read, scopes have not been asked for yet.
                for scope in list_scopes(self.endpoint):
                    token.demand(scope)
                await run_in_threadpool(_look_for_cluster, request)
                raise

        return guard


def make_router(tag: str, prefix: str = "") -> APIRouter:
    """For routes that ask for a token, and may answer with what all of those may. ``tag``: their
    section in the description."""
    return APIRouter(prefix=prefix, tags=[tag], responses=DOCUMENTED, route_class=GuardedRoute)


def list_scopes(endpoint: Callable[..., Any]) -> list[str]:
    """The scopes that a route's function takes."""
    hints = get_type_hints(endpoint, include_extras=True)
    parts = [part for hint in hints.values() for part in getattr(hint, "__metadata__", ())]
    return [s for part in parts if isinstance(part, params.Security) for s in part.scopes or ()]


async def _demand_scopes(
    request: Request, scopes: SecurityScopes, _: Annotated[object, Security(_bearer)]
) -> Caller:
    token: Token = request.state.token
    for scope in scopes.scopes:
        token.demand(scope)
    attempt: Attempt | None = getattr(request.state, "attempt", None)
    return Caller(request.app.state.context, token, attempt)


Anyone = Annotated[Caller, Security(_demand_scopes)]
Reader = Annotated[Caller, Security(_demand_scopes, scopes=[READ])]
Creator = Annotated[Caller, Security(_demand_scopes, scopes=[CREATE])]
Updater = Annotated[Caller, Security(_demand_scopes, scopes=[UPDATE])]
Deleter = Annotated[Caller, Security(_demand_scopes, scopes=[DELETE])]
Admin = Annotated[Caller, Security(_demand_scopes, scopes=[ADMIN])]


def _read_token(request: Request) -> str:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise Unauthenticated
    return value.strip()


def _look_for_cluster(request: Request) -> None:
    """Raises NotFound if the address names a cluster that is not there."""
    found = request.path_params
    named = found.get("database_cluster_uuid", found.get("cluster_id"))
    if named is not None:
        require_live_cluster(request.app.state.context, parse_cluster_id(named))


def _refuse_nul(request: Request) -> None:
    """No name has a NUL, and PostgreSQL as the store would choke on it."""
    if "\0" in request.scope["path"]:
        raise NotFound("not found")
    if b"%00" in request.scope["query_string"]:
        raise InvalidRequest("the query has a NUL character in it")
