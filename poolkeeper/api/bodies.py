"""What requests may carry. Strict: ``"10"``, ``1.5`` and ``true`` are no numbers.

Here it is only seen to that each field is of its type; what values may be is for the domain,
and stands here for readers of the description.
Fields that are not known are ignored, as DigitalOcean does.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from poolkeeper.domain.clusters import ENGINE, REGIONS
from poolkeeper.domain.pools import PoolMode
from poolkeeper.domain.sizes import DEFAULT_SIZE, SLUGS

_MAX_INT32 = 2**31 - 1


def _check_uuid(text: str) -> str:
    if text:
        try:
            UUID(text)
        except ValueError:
            raise ValueError("must be a UUID") from None
    return text


UuidText = Annotated[str, AfterValidator(_check_uuid)]


# Such words are repeated in errors; none that could be right is that long.
Word = Annotated[str, Field(max_length=255)]


class Body(BaseModel):
    """A JSON object of a request."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class ClusterBody(Body):
    """A new cluster. Go clients send ``""`` and ``null`` where they mean nothing."""

    name: str = Field(examples=["orders"])
    engine: Word = Field(examples=[ENGINE], json_schema_extra={"enum": [ENGINE]})
    num_nodes: int = Field(examples=[1], json_schema_extra={"enum": [1]})
    size: str = Field(examples=[DEFAULT_SIZE], json_schema_extra={"enum": [*SLUGS]})
    region: Word = Field(examples=["nyc3"], json_schema_extra={"enum": [*REGIONS]})
    version: Word | None = Field(None, description="A PostgreSQL major; the newest if unsaid.")
    storage_size_mib: int | None = Field(None, ge=0, le=_MAX_INT32)
    tags: list[str] | None = None
    private_network_uuid: UuidText | None = None
    project_id: UuidText | None = None
    rules: list[dict[str, Any]] | None = None
    backup_restore: dict[str, Any] | None = None
    dry_run: bool | None = Field(None, description="Only check the request; create nothing.")


class DatabaseBody(Body):
    """A new database."""

    name: str = Field(examples=["app"])


class UserSettingsBody(Body):
    """Settings of a user."""

    pg_allow_replication: bool | None = None


class UserBody(Body):
    """A new user."""

    name: str = Field(examples=["app"])
    settings: UserSettingsBody | None = None


class UserChangeBody(Body):
    """A change of a user."""

    settings: UserSettingsBody


class ResetAuthBody(Body):
    """A new password is asked for; there is nothing to say about it."""


class PoolShapeBody(Body):
    """A pool's shape, whole: without a user, each client logs in as itself."""

    mode: Word = Field(examples=["transaction"], json_schema_extra={"enum": [*PoolMode]})
    size: int = Field(
        examples=[10], description="Most backend connections.", json_schema_extra={"minimum": 1}
    )
    db: Word = Field(examples=["defaultdb"])
    user: Word | None = Field(None, examples=["doadmin"])


class PoolBody(PoolShapeBody):
    """A new pool."""

    name: str = Field(examples=["backend-pool"])


class PlanBody(Body):
    """What would change of a pool; what is left out stays. An empty user: none."""

    size: int | None = None
    mode: Word | None = None
    db: Word | None = None
    user: Word | None = None


class TokenBody(Body):
    """A new token."""

    name: str
    scopes: list[Word] = Field(examples=[["database:read"]])
    expires_in_seconds: int | None = Field(None, le=_MAX_INT32)
