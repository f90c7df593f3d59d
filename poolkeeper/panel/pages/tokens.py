"""API tokens: who may do what."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.domain.errors import InvalidField
from poolkeeper.domain.tokens import ADMIN, READ
from poolkeeper.panel.forms import Form
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases import tokens

_DAY = 86400
LIFETIMES = (
    ("", "never"),
    (str(_DAY), "in a day"),
    (str(7 * _DAY), "in a week"),
    (str(30 * _DAY), "in 30 days"),
    (str(90 * _DAY), "in 90 days"),
    (str(365 * _DAY), "in a year"),
)

pages = Pages()


# The second is where a browser is once a token could not be revoked.
@pages.get("/tokens", scope=ADMIN)
@pages.get("/tokens/{token_id}/revoke", scope=ADMIN)
def show_tokens(visit: Visit) -> Response:
    """All tokens, and the form for a new one."""
    return _show(visit, _blank(), 200)


@pages.post("/tokens", scope=ADMIN)
def create(visit: Visit) -> Response:
    """Create a token; this answer is the only one that has its value."""
    form = visit.read_form("name", "expires", lists=("scopes",))
    with form.attempt(fields={"expires_in_seconds": "expires"}):
        if form["expires"] not in dict(LIFETIMES):
            raise InvalidField("expires", "choose one of those listed")
        lifetime = form.number("expires") if form["expires"] else None
        token, value = tokens.create_token(
            visit.context, visit.actor, form["name"], form.lists["scopes"], lifetime
        )
        return _show(visit, _blank(), 201, created=token.name, value=value)
    return _show(visit, form, 422)


@pages.post("/tokens/{token_id}/revoke", scope=ADMIN)
def revoke(visit: Visit) -> Response:
    """Make a token invalid; whoever signed in with it is signed out."""
    token_id = visit.part("token_id")
    form = visit.read_form()
    with form.attempt():
        tokens.delete_token(visit.context, visit.actor, token_id)
        return visit.redirect("/tokens", "The token has been revoked.")
    return _show(visit, _blank(), 422, problem=form.problem)


def _blank() -> Form:
    return Form({"name": "", "expires": ""}, {"scopes": [READ]})


def _show(
    visit: Visit,
    form: Form,
    status: int,
    *,
    created: str = "",
    value: str = "",
    problem: str = "",
) -> Response:
    return visit.page(
        "tokens.html",
        status,
        has_secrets=bool(value),
        form=form,
        tokens=tokens.list_tokens(visit.context),
        lifetimes=LIFETIMES,
        created=created,
        value=value,
        problem=problem,
    )
