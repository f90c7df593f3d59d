"""Errors as HTTP answers: the only place that knows which error has which status.

The body is DigitalOcean's: ``{"id": …, "message": …, "request_id": …}``, always JSON. Where the
message is one that clients compare, what people should know besides stands in ``detail``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json
from poolkeeper.api.complaints import is_malformed, word_complaints
from poolkeeper.domain.errors import (
    Forbidden,
    InvalidRequest,
    KnownRefusal,
    NotFound,
    PoolkeeperError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

_log = structlog.get_logger("poolkeeper.api")

_SLUGS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "request_entity_too_large",
    422: "unprocessable_entity",
    429: "too_many_requests",
    500: "server_error",
    503: "service_unavailable",
}

_STATUSES: dict[type[PoolkeeperError], int] = {
    InvalidRequest: 422,
    NotFound: 404,
    Unauthenticated: 401,
    Forbidden: 403,
    TooManyRequests: 429,
    Unavailable: 503,
}

# Retry-After makes pydo repeat any call, a POST too: only ever with "nothing was applied".
_HEADERS = {401: {"www-authenticate": "Bearer"}, 503: {"retry-after": "1"}}

# Of an hour nobody should wait without a word; the message says how long it is.
_LONGEST_RETRY_AFTER = 60

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_ROUTING_MESSAGES = {
    400: "error parsing request body",
    404: "404 page not found",
    405: "this address does not know that method",
}

_EXPLANATIONS = {
    400: "The body is not JSON.",
    401: "No token, or none that is valid.",
    403: "The token lacks a scope.",
    404: "There is no such thing.",
    413: "The body is larger than anything that is asked for here.",
    422: "It cannot be as it was asked; nothing was applied.",
    429: "The token has spent its rate limit; nothing was applied.",
    500: "A fault of ours; the log has it under the request id.",
    503: "Not online yet, or not in force in time; nothing was applied, try again.",
}

DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"model": shapes.Problem, "description": text} for status, text in _EXPLANATIONS.items()
}


def add_problem_handlers(app: FastAPI) -> None:
    """Have the app answer every error that its routes raise."""
    app.add_exception_handler(PoolkeeperError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_routing)


def describe_problem(
    request_id: str,
    status: int,
    message: str,
    headers: Mapping[str, str] | None = None,
    detail: str | None = None,
) -> Response:
    """The answer to a request that went wrong."""
    body: shapes.Problem = {
        "id": _SLUGS.get(status, "error"),
        "message": message,
        "request_id": request_id,
    }
    if detail is not None:
        body["detail"] = detail
    return Json(body, status, {**_HEADERS.get(status, {}), **(headers or {})})


def describe_fault(request_id: str, error: Exception) -> Response:
    """The answer to a fault of ours; what it was stands in the log."""
    _log.error("fault", request_id=request_id, exc_info=error)
    return describe_problem(
        request_id, 500, "something went wrong on our side; the log has it under this request id"
    )


async def _answer_error(request: Request, error: Exception) -> Response:
    request_id = request.state.request_id
    if isinstance(error, KnownRefusal):
        return describe_problem(request_id, 422, error.text, detail=error.reason)
    for kind in type(error).__mro__:
        if kind in _STATUSES:
            headers = {}
            if isinstance(error, TooManyRequests) and error.retry_after <= _LONGEST_RETRY_AFTER:
                headers["retry-after"] = str(error.retry_after)
            return describe_problem(request_id, _STATUSES[kind], str(error), headers)
    return describe_fault(request_id, error)


async def _answer_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    complaints = error.errors()
    if is_malformed(complaints):
        return describe_problem(request.state.request_id, 400, _ROUTING_MESSAGES[400])
    return describe_problem(request.state.request_id, 422, word_complaints(complaints))


async def _answer_routing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = _ROUTING_MESSAGES.get(error.status_code, error.detail)
    headers = error.headers
    if error.status_code == 405:
        headers = {"allow": ", ".join(_list_methods(request))}
    return describe_problem(request.state.request_id, error.status_code, message, headers)


def _list_methods(request: Request) -> list[str]:
    """What the address knows; Starlette tells only of the first route that has it."""
    return [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]
