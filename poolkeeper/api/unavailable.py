"""What DigitalOcean has and cannot be had here: it takes a second node, or a backup.

Each says so, and what to do instead. What is not there is not found; what would have to be
made is refused; docs/decisions/0014 has the rule.
"""

from __future__ import annotations

from typing import Annotated, NoReturn

from fastapi import Path
from starlette.responses import Response

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json, no_content
from poolkeeper.api.auth import Caller, Creator, Deleter, Reader, Updater, make_router
from poolkeeper.api.bodies import VersionBody
from poolkeeper.api.paths import CLUSTER, ClusterId
from poolkeeper.domain.errors import InvalidRequest, NotFound
from poolkeeper.usecases.clusters import require_live_cluster

ONE_NODE = "a cluster here has one node, on this host: there are no replicas"
NO_BACKUPS = (
    "no backups are taken here: dump each database with pg_dump through the cluster's own"
    " connection, not through a pool, and keep the file elsewhere"
)
ONE_HOST = (
    "a cluster cannot leave this host: create one on another host, and move the data with"
    " pg_dump and pg_restore"
)
NO_UPGRADE = (
    "version: a cluster keeps its major version: create one of the other version, and move the"
    " data with pg_dump and pg_restore"
)
NO_MIGRATION = (
    "nothing is migrated by itself here: move the data with pg_dump and pg_restore through the"
    " cluster's own connection"
)

ReplicaName = Annotated[str, Path(alias="replica_name", description="The replica's name.")]
MigrationId = Annotated[str, Path(alias="migration_id", description="The migration's id.")]

router = make_router("Not to be had here", CLUSTER)


@router.get("/replicas", operation_id="databases_list_replicas", response_model=shapes.ReplicaList)
def list_replicas(caller: Reader, cluster_id: ClusterId) -> Json:
    """The replicas of a cluster: none."""
    require_live_cluster(caller.context, cluster_id)
    answer: shapes.ReplicaList = {"replicas": []}
    return Json(answer)


@router.post("/replicas", operation_id="databases_create_replica", status_code=422)
def create_replica(caller: Creator, cluster_id: ClusterId) -> Response:
    """Refused: a cluster has one node."""
    _refuse(caller, cluster_id, ONE_NODE)


@router.get("/replicas/{replica_name}", operation_id="databases_get_replica", status_code=404)
def get_replica(caller: Reader, cluster_id: ClusterId, name: ReplicaName) -> Response:
    """Not found: a cluster has no replicas."""
    _miss(caller, cluster_id)


@router.delete(
    "/replicas/{replica_name}", operation_id="databases_destroy_replica", status_code=404
)
def destroy_replica(caller: Deleter, cluster_id: ClusterId, name: ReplicaName) -> Response:
    """Not found: a cluster has no replicas."""
    _miss(caller, cluster_id)


@router.put(
    "/replicas/{replica_name}/promote", operation_id="databases_promote_replica", status_code=404
)
def promote_replica(caller: Updater, cluster_id: ClusterId, name: ReplicaName) -> Response:
    """Not found: a cluster has no replicas."""
    _miss(caller, cluster_id)


@router.get("/backups", operation_id="databases_list_backups", status_code=422)
def list_backups(caller: Reader, cluster_id: ClusterId) -> Response:
    """Refused: no backups are taken, and an empty list would say that some will be."""
    _refuse(caller, cluster_id, NO_BACKUPS)


@router.put("/migrate", operation_id="databases_update_region", status_code=422)
def update_region(caller: Updater, cluster_id: ClusterId) -> Response:
    """Refused: a cluster stays on its host."""
    _refuse(caller, cluster_id, ONE_HOST)


@router.put("/upgrade", operation_id="databases_update_major_version", status_code=204)
def update_major_version(
    caller: Updater, cluster_id: ClusterId, body: VersionBody | None = None
) -> Response:
    """Done if it is the version that the cluster has; refused otherwise."""
    cluster = require_live_cluster(caller.context, cluster_id)
    if body is None or body.version != cluster.version:
        raise InvalidRequest(NO_UPGRADE)
    return no_content()


@router.get("/online-migration", operation_id="databases_get_migrationStatus", status_code=404)
def get_migration_status(caller: Reader, cluster_id: ClusterId) -> Response:
    """Not found: nothing is migrated."""
    _miss(caller, cluster_id)


@router.put("/online-migration", operation_id="databases_update_onlineMigration", status_code=422)
def update_online_migration(caller: Updater, cluster_id: ClusterId) -> Response:
    """Refused: data is moved with PostgreSQL's own tools."""
    _refuse(caller, cluster_id, NO_MIGRATION)


@router.delete(
    "/online-migration/{migration_id}",
    operation_id="databases_delete_onlineMigration",
    status_code=404,
)
def delete_online_migration(caller: Deleter, cluster_id: ClusterId, id: MigrationId) -> Response:
    """Not found: nothing is migrated."""
    _miss(caller, cluster_id)


def _refuse(caller: Caller, cluster_id: ClusterId, why: str) -> NoReturn:
    require_live_cluster(caller.context, cluster_id)
    raise InvalidRequest(why)


def _miss(caller: Caller, cluster_id: ClusterId) -> NoReturn:
    require_live_cluster(caller.context, cluster_id)
    raise NotFound("not found")
