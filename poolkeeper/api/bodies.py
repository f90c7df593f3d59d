"""What requests may carry. Strict: ``"10"``, ``1.5`` and ``true`` are no numbers.

Here it is only seen to that each field is of its type; what values may be is for the domain,
and stands here for readers of the description.
Fields that are not known are ignored, as DigitalOcean does.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from poolkeeper.api.config_schema import describe_settings
from poolkeeper.domain.clusters import ENGINE, REGIONS
from poolkeeper.domain.firewall import RuleType
from poolkeeper.domain.maintenance import DAYS
from poolkeeper.domain.pools import PoolMode
from poolkeeper.domain.sizes import DEFAULT_SIZE, SLUGS
from poolkeeper.domain.tags import DATABASE

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

Item = TypeVar("Item")

# Each entry may be complained of, on the event loop's thread; no list that could be right is
# that long.
Many = Annotated[list[Item], Field(max_length=1000)]


class Body(BaseModel):
    """A JSON object of a request."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class RuleBody(Body):
    """A trusted source. Go clients send an empty `uuid` with a new one."""

    type: Word = Field(examples=["ip_addr"], json_schema_extra={"enum": [*RuleType]})
    value: str = Field(examples=["192.0.2.0/24"])
    uuid: UuidText | None = Field(None, description="As it was listed, to keep the rule.")
    description: str | None = None


class RulesBody(Body):
    """The trusted sources of a cluster, all of them."""

    rules: Many[RuleBody] | None = Field(description="An empty list, or null, opens the cluster.")


class StorageBody(Body):
    """When storage is to grow. What is left out is as it is at first."""

    enabled: bool
    threshold_percent: int | None = Field(None, description="15 to 95; 80 if unsaid.")
    increment_gib: int | None = Field(None, description="10 to 500; 10 if unsaid.")


class AutoscaleBody(Body):
    """What of a cluster is to grow by itself."""

    storage: StorageBody


class AutoscaleChangeBody(AutoscaleBody):
    """What of a cluster is to grow by itself; within `autoscale`, too, as `GET` shows it."""

    @model_validator(mode="before")
    @classmethod
    def _unwrap(cls, given: Any) -> Any:
        """DigitalOcean's description and its clients disagree; both are right here."""
        inner = given.get("autoscale") if isinstance(given, dict) else None
        return inner if isinstance(inner, dict) and "storage" not in given else given


class ServiceNamesBody(Body):
    """Names of one's own under which clients reach the cluster."""

    service_cnames: Many[str] | None = Field(None, examples=[["db.example.org"]])


class DoSettingsBody(Body):
    """Settings of a cluster, whole: without names it has none."""

    do_settings: ServiceNamesBody


class ClusterBody(Body):
    """A new cluster. Go clients send ``""`` and ``null`` where they mean nothing."""

    name: str = Field(examples=["orders"])
    engine: Word = Field(examples=[ENGINE], json_schema_extra={"enum": [ENGINE]})
    num_nodes: int = Field(examples=[1], json_schema_extra={"enum": [1]})
    size: str = Field(examples=[DEFAULT_SIZE], json_schema_extra={"enum": [*SLUGS]})
    region: Word = Field(examples=["nyc3"], json_schema_extra={"enum": [*REGIONS]})
    version: Word | None = Field(None, description="A PostgreSQL major; the newest if unsaid.")
    storage_size_mib: int | None = Field(None, ge=0, le=_MAX_INT32)
    tags: Many[str] | None = None
    private_network_uuid: UuidText | None = None
    project_id: UuidText | None = None
    rules: Many[RuleBody] | None = None
    backup_restore: dict[str, Any] | None = None
    autoscale: AutoscaleBody | None = None
    storage_autoscale: StorageBody | None = Field(
        None, description="What Go clients call `autoscale.storage`."
    )
    do_settings: ServiceNamesBody | None = None
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
    readonly: bool | None = Field(None, description="Not for PostgreSQL: `true` is refused.")


class UserChangeBody(Body):
    """A change of a user; without settings there is none."""

    settings: UserSettingsBody | None = None


class ResetAuthBody(Body):
    """A new password is asked for; there is nothing to say about it."""


class ResizeBody(Body):
    """Another size for a cluster."""

    size: str = Field(examples=["db-s-2vcpu-4gb"], json_schema_extra={"enum": [*SLUGS]})
    num_nodes: int = Field(examples=[1], json_schema_extra={"enum": [1]})
    storage_size_mib: int | None = Field(
        None, ge=0, le=_MAX_INT32, description="Not less than there is; as the size has it."
    )


class WindowBody(Body):
    """When a maintenance window opens, in UTC."""

    day: Word = Field(examples=["tuesday"], json_schema_extra={"enum": [*DAYS]})
    hour: Word = Field(examples=["04:00"])


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


class ConfigBody(Body):
    """Settings to change. Unlike elsewhere, one that is not known is an error."""

    config: dict[str, Any] = Field(
        examples=[{"work_mem": 8, "pgbouncer": {"server_idle_timeout": 300}}],
        description="`null` takes a setting, or a group of them, back to its default.",
        json_schema_extra={"properties": describe_settings()},
    )


class VersionBody(Body):
    """Another major version of PostgreSQL."""

    version: Word | None = Field(None, examples=["17"])


class TagBody(Body):
    """A new tag."""

    name: str = Field(examples=["production"])


class ResourceBody(Body):
    """Something that bears tags: a cluster, by its id."""

    resource_id: str = Field(json_schema_extra={"format": "uuid"})
    resource_type: Word = Field(examples=[DATABASE], json_schema_extra={"enum": [DATABASE]})


class ResourcesBody(Body):
    """What a tag is given to, or taken off."""

    resources: Many[ResourceBody]


class PlanBody(Body):
    """What would change of a pool; what is left out stays. An empty user: none."""

    size: int | None = None
    mode: Word | None = None
    db: Word | None = None
    user: Word | None = None


class BasicCredentialsBody(Body):
    """A user name and a password."""

    basic_auth_username: str = Field(examples=["metrics"])
    basic_auth_password: str = Field(examples=["a-long-password"])


class MetricsCredentialsBody(Body):
    """Who may read `/metrics`."""

    credentials: BasicCredentialsBody


class TokenBody(Body):
    """A new token."""

    name: str
    scopes: Many[Word] = Field(examples=[["database:read"]])
    expires_in_seconds: int | None = Field(None, le=_MAX_INT32)
