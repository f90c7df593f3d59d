"""What is told of this installation, and of the token that asks; see ``shapes``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict


class Team(TypedDict):
    uuid: str
    name: str


class Account(TypedDict):
    """This installation. It is nobody in person: nothing here was ever asked of anybody."""

    uuid: Annotated[str, Field(json_schema_extra={"format": "uuid"})]
    email: str
    email_verified: bool
    name: str
    status: Literal["active"]
    status_message: str
    droplet_limit: int
    floating_ip_limit: int
    team: Team


class AccountAnswer(TypedDict):
    account: Account


class Application(TypedDict):
    uid: str


class TokenInfo(TypedDict):
    """What `doctl auth init` asks. `expires_in_seconds` is null for one that stays."""

    resource_owner_id: int
    scopes: list[str]
    expires_in_seconds: int | None
    application: Application
    created_at: Annotated[int, Field(description="seconds since 1970")]
