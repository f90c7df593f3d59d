"""What DigitalOcean has for other engines than PostgreSQL: each call is refused in its words.

Not in our description of the API, which is for what can be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from fastapi import APIRouter

from poolkeeper.api.auth import Caller, Creator, Deleter, GuardedRoute, Reader, Updater
from poolkeeper.api.paths import ClusterId
from poolkeeper.domain.errors import InvalidRequest
from poolkeeper.usecases.clusters import require_live_cluster

MESSAGE = "operation is not supported for this cluster type"

# Below a cluster's address. Names inside stand for whatever was sent there.
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "eviction_policy": ("GET", "PUT"),
    "indexes": ("GET",),
    "indexes/{index_name}": ("DELETE",),
    "logsink": ("GET", "POST"),
    "logsink/{logsink_id}": ("GET", "PUT", "DELETE"),
    "schema-registry": ("GET", "POST"),
    "schema-registry/config": ("GET", "PUT"),
    "schema-registry/config/{subject_name}": ("GET", "PUT"),
    "schema-registry/{subject_name}": ("GET", "DELETE"),
    "schema-registry/{subject_name}/versions/{version}": ("GET",),
    "sql_mode": ("GET", "PUT"),
    "topics": ("GET", "POST"),
    "topics/{topic_name}": ("GET", "PUT", "DELETE"),
}

router = APIRouter(
    prefix="/v2/databases/{database_cluster_uuid}",
    route_class=GuardedRoute,
    include_in_schema=False,
)


def _read(caller: Reader, cluster_id: ClusterId) -> None:
    _refuse(caller, cluster_id)


def _create(caller: Creator, cluster_id: ClusterId) -> None:
    _refuse(caller, cluster_id)


def _update(caller: Updater, cluster_id: ClusterId) -> None:
    _refuse(caller, cluster_id)


def _delete(caller: Deleter, cluster_id: ClusterId) -> None:
    _refuse(caller, cluster_id)


def _refuse(caller: Caller, cluster_id: ClusterId) -> NoReturn:
    require_live_cluster(caller.context, cluster_id)
    raise InvalidRequest(MESSAGE)


_ENDPOINTS = {"GET": _read, "POST": _create, "PUT": _update, "DELETE": _delete}

for _path, _methods in OPERATIONS.items():
    for _method in _methods:
        router.add_api_route(f"/{_path}", _ENDPOINTS[_method], methods=[_method])
