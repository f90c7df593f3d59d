"""Whose tokens these are: ``/v2/account``, and what ``doctl auth init`` asks."""

from __future__ import annotations

from datetime import UTC, datetime

from poolkeeper.api import account_shapes
from poolkeeper.api.answers import Json
from poolkeeper.api.auth import Anyone, make_router
from poolkeeper.usecases.account import read_account

_NAME = "Poolkeeper"

router = make_router("Account")


@router.get("/v2/account", operation_id="account_get", response_model=account_shapes.AccountAnswer)
def get_account(caller: Anyone) -> Json:
    """This installation, as the account that its tokens belong to. Any token may ask."""
    account = read_account(caller.context)
    answer: account_shapes.AccountAnswer = {
        "account": {
            "uuid": str(account.uuid),
            "email": account.email,
            "email_verified": False,
            "name": _NAME,
            "status": "active",
            "status_message": "",
            # Neither can be had here.
            "droplet_limit": 0,
            "floating_ip_limit": 0,
            "team": {"uuid": str(account.uuid), "name": _NAME},
        }
    }
    return Json(answer)


@router.get(
    "/v1/oauth/token/info",
    operation_id="oauth_token_info",
    summary="Get Token Info",
    response_model=account_shapes.TokenInfo,
)
def get_token_info(caller: Anyone) -> Json:
    """The token that asks: what it may do, and for how long. Not the token itself."""
    token, account = caller.token, read_account(caller.context)
    left = None if token.expires_at is None else token.expires_at - datetime.now(UTC)
    answer: account_shapes.TokenInfo = {
        "resource_owner_id": account.number,
        "scopes": sorted(token.scopes),
        "expires_in_seconds": None if left is None else max(int(left.total_seconds()), 0),
        "application": {"uid": str(account.uuid)},
        "created_at": int(token.created_at.timestamp()),
    }
    return Json(answer)
