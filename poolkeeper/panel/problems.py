"""Errors as pages, and as a message in the corner where htmx asked.

What is gone while its page is open is told above that page, which then lives no longer.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from poolkeeper.domain.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    PoolkeeperError,
    Unavailable,
)
from poolkeeper.panel.gone import tell_gone
from poolkeeper.panel.visits import Visit


class NotOurForm(PoolkeeperError):
    """A form that was not sent by one of our pages, or by one that is too old."""

    def __init__(self) -> None:
        super().__init__(
            "this form is not from a page of yours, or it was open for too long: nothing was"
            " changed; load the page again and repeat it"
        )


class FormTooLarge(PoolkeeperError):
    """A form with more in it than anything that is asked for."""

    def __init__(self) -> None:
        super().__init__(
            "the form has more in it than anything that is asked for here: nothing was changed;"
            " shorten it and send it again"
        )


class TooManyAttempts(PoolkeeperError):
    """Too many failed sign-ins from one address."""

    def __init__(self) -> None:
        super().__init__("too many failed sign-ins; wait a few seconds, then try again")


@dataclass(frozen=True)
class _Kind:
    """``advice``: what to do, where the error does not say it."""

    status: int
    title: str
    advice: str = ""


_KINDS: dict[type[PoolkeeperError], _Kind] = {
    NotFound: _Kind(404, "There is no such thing"),
    Forbidden: _Kind(
        403,
        "Your token does not allow this",
        ". Sign in with one that has it, or ask whoever administers Poolkeeper.",
    ),
    NotOurForm: _Kind(403, "This form was not accepted"),
    FormTooLarge: _Kind(413, "This form was not accepted"),
    TooManyAttempts: _Kind(429, "Too many attempts"),
    InvalidRequest: _Kind(422, "This cannot be"),
    Unavailable: _Kind(503, "Not possible at the moment"),
}
_FAULT = _Kind(500, "Something went wrong on our side")
_NOT_FOUND_MESSAGE = "It may have been deleted meanwhile, or its address was mistyped."


def show_problem(visit: Visit, error: PoolkeeperError) -> Response:
    """What went wrong, and what to do about it."""
    if isinstance(error, NotFound) and visit.is_background:
        return _show_gone(visit)
    for kind in type(error).__mro__:
        if kind in _KINDS:
            found = _KINDS[kind]
            message = _NOT_FOUND_MESSAGE if found.status == 404 else f"{error}{found.advice}"
            return _show(visit, found, message)
    return _show(visit, _FAULT, str(error))


def show_fault(visit: Visit) -> Response:
    """A fault of ours; what it was stands in the log."""
    return _show(visit, _FAULT, "The log has it under the request id below.")


def _show_gone(visit: Visit) -> Response:
    answer = visit.page("gone.html", 404, gone=tell_gone(visit))
    answer.headers["hx-retarget"] = "#gone"
    answer.headers["hx-reswap"] = "innerHTML"
    answer.headers["hx-reselect"] = "#gone-note"
    return answer


def _show(visit: Visit, kind: _Kind, message: str) -> Response:
    request_id = visit.request.state.request_id if kind is _FAULT else ""
    answer = visit.page(
        "problem_toast.html" if visit.is_htmx else "problem.html",
        kind.status,
        code=kind.status,
        title=kind.title,
        message=message,
        request_id=request_id,
        gone=tell_gone(visit) if kind.status == 404 else None,
    )
    if not visit.is_htmx:
        return answer
    # Into the corner, wherever the answer was meant to go.
    answer.headers["hx-retarget"] = "#toasts"
    answer.headers["hx-reswap"] = "beforeend"
    answer.headers["hx-reselect"] = ".toast"
    return answer
