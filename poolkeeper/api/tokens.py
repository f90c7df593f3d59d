"""API tokens: ``/v1/tokens``, for those who administer."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from poolkeeper.api import own_shapes
from poolkeeper.api.answers import Json, no_content
from poolkeeper.api.auth import Admin, make_router
from poolkeeper.api.bodies import TokenBody
from poolkeeper.api.own_present import present_token
from poolkeeper.usecases import tokens

router = make_router("Tokens", "/v1/tokens")


@router.get("", operation_id="tokens_list", response_model=own_shapes.TokenList)
def list_tokens(caller: Admin) -> Json:
    """All tokens, without their values."""
    answer: own_shapes.TokenList = {
        "tokens": [present_token(token) for token in tokens.list_tokens(caller.context)]
    }
    return Json(answer)


@router.post(
    "",
    operation_id="tokens_create",
    status_code=201,
    response_model=own_shapes.NewTokenAnswer,
)
def create_token(caller: Admin, body: TokenBody) -> Json:
    """Create a token. Its value is in this answer and nowhere else."""
    token, value = tokens.create_token(
        caller.context, caller.actor, body.name, body.scopes, body.expires_in_seconds
    )
    answer: own_shapes.NewTokenAnswer = {"token": {**present_token(token), "value": value}}
    return Json(answer, 201)


@router.delete("/{token_id}", operation_id="tokens_delete", status_code=204)
def delete_token(
    caller: Admin, token_id: Annotated[str, Path(description="The token's id.")]
) -> Response:
    """Revoke a token. The last lasting one that administers stays."""
    tokens.delete_token(caller.context, caller.actor, token_id)
    return no_content()
