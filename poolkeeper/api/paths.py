"""What stands in a path and means the same on every route."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path

from poolkeeper.domain.errors import NotFound

# Where everything of one cluster is, as DigitalOcean has it.
CLUSTER = "/v2/databases/{database_cluster_uuid}"

_UUID = {"format": "uuid"}


async def _read_cluster_id(
    database_cluster_uuid: Annotated[
        str, Path(description="The cluster's id.", json_schema_extra=_UUID)
    ],
) -> UUID:
    return parse_cluster_id(database_cluster_uuid)


async def _read_own_cluster_id(
    cluster_id: Annotated[str, Path(description="The cluster's id.", json_schema_extra=_UUID)],
) -> UUID:
    return parse_cluster_id(cluster_id)


# FastAPI knows parameters by their names, and DigitalOcean's description has its own.
ClusterId = Annotated[UUID, Depends(_read_cluster_id)]
OwnClusterId = Annotated[UUID, Depends(_read_own_cluster_id)]
DatabaseName = Annotated[str, Path(alias="database_name", description="The database's name.")]
UserName = Annotated[str, Path(alias="username", description="The user's name.")]
PoolName = Annotated[str, Path(alias="pool_name", description="The pool's name.")]


def parse_cluster_id(text: str) -> UUID:
    """Anything but an id is a cluster that is not there: clients look for 404, not for 422."""
    try:
        cluster_id = UUID(text)
    except ValueError:
        raise NotFound("cluster not found") from None
    if str(cluster_id) != text.lower():
        raise NotFound("cluster not found")
    return cluster_id
