"""Links into the panel: ``/v1/sign-in-links``."""

from __future__ import annotations

from fastapi import APIRouter

from poolkeeper.api import own_shapes
from poolkeeper.api.answers import Json
from poolkeeper.api.auth import Anyone, GuardedRoute
from poolkeeper.api.moments import show_moment
from poolkeeper.api.problems import DOCUMENTED
from poolkeeper.usecases import sessions

router = APIRouter(
    prefix="/v1/sign-in-links", tags=["Tokens"], responses=DOCUMENTED, route_class=GuardedRoute
)


@router.post(
    "",
    operation_id="sign_in_links_create",
    status_code=201,
    response_model=own_shapes.SignInLinkAnswer,
)
def create_link(caller: Anyone) -> Json:
    """Make a link that signs in to the panel, once, as the token that asks. Any token may."""
    link, value = sessions.create_link(caller.context, caller.token)
    answer: own_shapes.SignInLinkAnswer = {
        "sign_in_link": {
            "path": sessions.compose_path(value),
            "expires_at": show_moment(link.expires_at),
        }
    }
    return Json(answer, 201)
