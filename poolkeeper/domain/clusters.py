"""Clusters: managed PostgreSQL services, and what is asked when one is created."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from poolkeeper.domain.databases import Database
from poolkeeper.domain.errors import InvalidField, InvalidRequest, KnownRefusal
from poolkeeper.domain.firewall import FirewallRule, GivenRule
from poolkeeper.domain.names import parse_cluster_name, parse_tags
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.sizes import Size, parse_size
from poolkeeper.domain.users import User

DEFAULT_DATABASE = "defaultdb"
DEFAULT_USER = "doadmin"
ENGINE = "pg"

REGIONS = (
    *("ams3", "atl1", "blr1", "fra1", "lon1", "nyc1", "nyc2", "nyc3"),
    *("ric1", "sfo2", "sfo3", "sgp1", "syd1", "tor1"),
)


class ClusterStatus(enum.StrEnum):
    """What the ``/v2`` API calls a cluster's status."""

    CREATING = "creating"
    ONLINE = "online"
    RESIZING = "resizing"


@dataclass(frozen=True)
class Ports:
    """Where a cluster listens: PostgreSQL directly, and its pooler one above."""

    direct: int

    @property
    def pool(self) -> int:
        return self.direct + 1


@dataclass(frozen=True)
class MaintenanceWindow:
    """When what takes a restart may happen: ``day`` in lower case, ``hour`` HH:MM:SS, UTC."""

    day: str
    hour: str


DEFAULT_MAINTENANCE = MaintenanceWindow("sunday", "03:00:00")


@dataclass(frozen=True)
class Autoscale:
    """When storage is to grow. It is stored and shown; the disk is the host's own."""

    enabled: bool = False
    threshold_percent: int = 80
    increment_gib: int = 10


@dataclass(frozen=True)
class ClusterRequest:
    """A cluster as it was asked for, parsed."""

    name: str
    version: str
    size: Size
    region: str
    storage_size_mib: int
    tags: tuple[str, ...] = ()
    private_network_uuid: str | None = None
    project_id: str | None = None
    rules: tuple[GivenRule, ...] = ()
    service_cnames: tuple[str, ...] = ()
    autoscale: Autoscale = Autoscale()


@dataclass(frozen=True)
class ResizeRequest:
    """Another size as it was asked for, parsed. ``storage_size_mib`` None: as the size has it."""

    size: Size
    storage_size_mib: int | None


@dataclass(frozen=True)
class Cluster:
    """A cluster as it is wanted. ``generation`` grows by one with every change inside it.

    ``config``: what was set by hand, as the API names it. ``resize_generation`` and
    ``restart_generation``: when a resize, and a restart of PostgreSQL, were last asked for.
    """

    id: UUID
    name: str
    version: str
    size: Size
    region: str
    ports: Ports
    storage_size_mib: int
    tags: tuple[str, ...]
    private_network_uuid: str
    project_id: str
    created_at: datetime
    generation: int
    deleted_at: datetime | None = None
    maintenance: MaintenanceWindow = DEFAULT_MAINTENANCE
    service_cnames: tuple[str, ...] = ()
    autoscale: Autoscale = Autoscale()
    config: Mapping[str, object] = field(default_factory=dict)
    resize_generation: int = 0
    restart_generation: int = 0

    @property
    def budget(self) -> int:
        """Backend connections for all its pools together."""
        return self.size.budget


@dataclass(frozen=True)
class Desired:
    """Everything wanted of one cluster, read in one transaction.

    A partial one must never reach the pooler: an entry that is missing from PgBouncer's
    file is an order to cut its clients. ``superuser_password`` and ``console_password``
    are the control plane's own and never leave the host.
    """

    cluster: Cluster
    superuser_password: str
    console_password: str
    databases: tuple[Database, ...]
    users: tuple[User, ...]
    pools: tuple[Pool, ...]
    rules: tuple[FirewallRule, ...] = ()


def parse_cluster_request(
    *,
    name: str,
    engine: str,
    version: str | None,
    size: str,
    region: str,
    num_nodes: int,
    majors: Iterable[str],
    storage_size_mib: int | None = None,
    tags: Iterable[str] = (),
    private_network_uuid: str | None = None,
    project_id: str | None = None,
    rules: tuple[GivenRule, ...] = (),
    service_cnames: tuple[str, ...] = (),
    autoscale: Autoscale = Autoscale(),
) -> ClusterRequest:
    """The request, checked. ``majors``: the PostgreSQL majors that can be had, best first.

    Raises InvalidRequest with the texts that DigitalOcean's clients know.
    """
    majors = list(majors)
    parse_cluster_name(name)
    if engine != ENGINE:
        raise KnownRefusal("invalid engine", f"{ENGINE!r} is what can be had", field="engine")
    _check_nodes(num_nodes)
    parsed_size = parse_size(size)
    if region not in REGIONS:
        raise InvalidRequest(f"region {region!r} is not valid", field="region")
    return ClusterRequest(
        name=name,
        version=_choose_version(version, majors),
        size=parsed_size,
        region=region,
        storage_size_mib=_check_storage(parsed_size, storage_size_mib) or parsed_size.storage_mib,
        tags=parse_tags(tags),
        private_network_uuid=private_network_uuid or None,
        project_id=project_id or None,
        rules=rules,
        service_cnames=service_cnames,
        autoscale=autoscale,
    )


def parse_resize_request(
    *, size: str, num_nodes: int, storage_size_mib: int | None
) -> ResizeRequest:
    """The request, checked. Raises InvalidRequest."""
    _check_nodes(num_nodes)
    return ResizeRequest(parse_size(size), storage_size_mib or None)


def plan_storage(cluster: Cluster, request: ResizeRequest) -> int:
    """The storage after a resize, in MiB: at least what there is, and what the size comes with,
    as DigitalOcean has it.

    Raises InvalidField if less is asked for.
    """
    now = cluster.storage_size_mib
    if request.storage_size_mib is None:
        return max(now, request.size.storage_mib)
    if request.storage_size_mib < now:
        raise InvalidField(
            "storage_size_mib",
            f"{request.storage_size_mib} asked, the cluster has {now}, and storage cannot shrink",
        )
    _check_storage(request.size, request.storage_size_mib)
    return request.storage_size_mib


def _check_storage(size: Size, asked: int | None) -> int | None:
    """What is asked for; None, as Go's 0, is what the size comes with."""
    if asked and asked < size.storage_mib:
        raise InvalidField(
            "storage_size_mib",
            f"{asked} asked, and {size.slug} comes with {size.storage_mib}; leave it out for that",
        )
    return asked or None


def _check_nodes(num_nodes: int) -> None:
    if num_nodes != 1:
        raise KnownRefusal(
            "invalid node count",
            f"{num_nodes} asked, one node is what can be had",
            field="num_nodes",
        )


def _choose_version(version: str | None, majors: list[str]) -> str:
    if not majors:
        raise InvalidRequest(
            "no PostgreSQL server is installed on this host: install the package postgresql, or"
            " say with --postgres-prefixes where one is"
        )
    if not version:
        return majors[0]
    if version not in majors:
        raise KnownRefusal(
            "invalid cluster engine version",
            f"{version!r} is not installed on this host, which has {', '.join(majors)}",
            field="version",
        )
    return version
