"""What DigitalOcean's ``/v2`` answers with: checked by mypy where it is built, and published
in ``/openapi.json``."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field

# pydantic reads typing's own only from Python 3.12 on.
from typing_extensions import TypedDict

from poolkeeper.api.event_types import ClusterEventType
from poolkeeper.domain.clusters import ClusterStatus
from poolkeeper.domain.firewall import RuleType
from poolkeeper.domain.pools import PoolMode
from poolkeeper.domain.users import Role


class Connection(TypedDict):
    """How to connect. Without the scope `database:view_credentials`, `password` is empty."""

    protocol: str
    uri: str
    database: Annotated[str, Field(description="for a pool, the pool's name")]
    host: str
    port: int
    user: str
    password: str
    ssl: bool


class UserSettings(TypedDict):
    pg_allow_replication: bool


class User(TypedDict):
    """A role that may log in. `settings` is there only where it says something."""

    name: str
    role: Role
    password: str
    settings: NotRequired[UserSettings]


class Database(TypedDict):
    name: str


class Pool(TypedDict):
    """A connection pool. An empty `user`: each client logs in as itself."""

    user: str
    name: str
    size: Annotated[int, Field(description="most backend connections the pool may hold")]
    db: str
    mode: PoolMode
    connection: Connection
    private_connection: Connection


class MaintenanceWindow(TypedDict):
    day: str
    hour: str
    pending: bool
    description: list[str]


class MetricsEndpoint(TypedDict):
    host: str
    port: int


class Rule(TypedDict):
    """A trusted source. Those of type `ip_addr` are enforced, the others kept as given."""

    uuid: Annotated[str, Field(json_schema_extra={"format": "uuid"})]
    cluster_uuid: Annotated[str, Field(json_schema_extra={"format": "uuid"})]
    type: RuleType
    value: str
    description: str
    created_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class DoSettings(TypedDict):
    service_cnames: Annotated[list[str], Field(description="names in the certificate")]


class Cluster(TypedDict):
    """A PostgreSQL service. Its connection is final from the first answer on; it can be used
    once `status` is `online`."""

    id: Annotated[str, Field(json_schema_extra={"format": "uuid"})]
    name: str
    engine: Literal["pg"]
    version: str
    semantic_version: str
    num_nodes: int
    size: str
    region: str
    status: ClusterStatus
    created_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    connection: Connection
    private_connection: Connection
    users: list[User]
    db_names: list[str]
    tags: list[str]
    private_network_uuid: str
    project_id: str
    rules: list[Rule]
    storage_size_mib: int
    do_settings: DoSettings
    maintenance_window: MaintenanceWindow
    metrics_endpoints: list[MetricsEndpoint]
    read_only: bool
    version_end_of_life: str | None
    version_end_of_availability: str | None


class Layout(TypedDict):
    num_nodes: int
    sizes: list[str]


class EngineOptions(TypedDict):
    regions: list[str]
    versions: list[str]
    layouts: list[Layout]
    default_version: str


class VersionAvailability(TypedDict):
    version: str
    end_of_life: str | None
    end_of_availability: str | None
    default: bool


class Options(TypedDict):
    pg: EngineOptions


class OptionsVersions(TypedDict):
    pg: list[VersionAvailability]


class Authority(TypedDict):
    certificate: Annotated[str, Field(description="the PEM file, in Base64")]


class Pages(TypedDict):
    first: NotRequired[str]
    prev: NotRequired[str]
    next: NotRequired[str]
    last: NotRequired[str]


class Links(TypedDict):
    pages: NotRequired[Pages]


class Meta(TypedDict):
    total: int


class Paged(TypedDict):
    """Both are there only when `page` or `per_page` was asked for."""

    links: NotRequired[Links]
    meta: NotRequired[Meta]


class OptionsAnswer(TypedDict):
    options: Options
    version_availability: OptionsVersions


class AuthorityAnswer(TypedDict):
    ca: Authority


class ClusterAnswer(TypedDict):
    database: Cluster


class ClusterList(Paged):
    databases: list[Cluster]


class UserAnswer(TypedDict):
    user: User


class UserList(Paged):
    users: list[User]


class DatabaseAnswer(TypedDict):
    db: Database


class DatabaseList(Paged):
    dbs: list[Database]


class RuleList(TypedDict):
    rules: list[Rule]


class PoolAnswer(TypedDict):
    pool: Pool


class PoolList(Paged):
    pools: list[Pool]


class ConfigAnswer(TypedDict):
    config: Annotated[dict[str, object], Field(description="by DigitalOcean's names")]


class StorageAutoscale(TypedDict):
    enabled: bool
    threshold_percent: int
    increment_gib: int


class Autoscale(TypedDict):
    storage: StorageAutoscale


class AutoscaleAnswer(TypedDict):
    """The same twice: DigitalOcean's description has it in `autoscale`, its Go client reads
    `storage`."""

    autoscale: Autoscale
    storage: StorageAutoscale


class DoSettingsAnswer(TypedDict):
    do_settings: DoSettings


class ClusterEvent(TypedDict):
    id: str
    cluster_name: str
    event_type: ClusterEventType
    create_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class ClusterEventList(Paged):
    events: list[ClusterEvent]


class ReplicaList(TypedDict):
    """There are none."""

    replicas: list[dict[str, str]]


class MetricsCredentials(TypedDict):
    """Without the scope `database:view_credentials`, the password is empty."""

    basic_auth_username: str
    basic_auth_password: str


class MetricsCredentialsAnswer(TypedDict):
    credentials: MetricsCredentials


class Problem(TypedDict):
    """What every error looks like. `detail` is our own: it says more than DigitalOcean's words."""

    id: Annotated[str, Field(examples=["unprocessable_entity"])]
    message: str
    request_id: str
    detail: NotRequired[str]
