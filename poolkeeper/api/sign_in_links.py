"""Links into the panel: ``/v1/sign-in-links``."""

from __future__ import annotations

from poolkeeper.api import own_shapes
from poolkeeper.api.answers import Json
from poolkeeper.api.auth import Anyone, make_router
from poolkeeper.api.moments import show_moment
from poolkeeper.usecases import sessions

router = make_router("Tokens", "/v1/sign-in-links")


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
