"""Clusters: ``/v2/databases``."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import Query
from starlette.responses import Response

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json, no_content
from poolkeeper.api.auth import Caller, Creator, Deleter, Reader, make_router
from poolkeeper.api.bodies import ClusterBody
from poolkeeper.api.cluster_settings import read_autoscale, read_service_names
from poolkeeper.api.firewall import read_rules
from poolkeeper.api.paging import Paging, describe_page
from poolkeeper.api.paths import ClusterId
from poolkeeper.api.present import present_cluster
from poolkeeper.domain.clusters import ClusterRequest, parse_cluster_request
from poolkeeper.domain.errors import InvalidField
from poolkeeper.usecases import clusters, connections
from poolkeeper.usecases.releases import Releases
from poolkeeper.usecases.views import ClusterView

router = make_router("Clusters", "/v2/databases")


@router.get("", operation_id="databases_list_clusters", response_model=shapes.ClusterList)
def list_clusters(
    caller: Reader,
    paging: Paging,
    tag_name: Annotated[str | None, Query(description="Only clusters with this tag.")] = None,
) -> Json:
    """All clusters, oldest first."""
    tag = tag_name or None
    views = clusters.list_clusters(
        caller.context,
        tag=tag,
        reveal=caller.may_see_passwords,
        offset=paging.offset if paging else 0,
        limit=paging.size if paging else None,
    )
    total = clusters.count_clusters(caller.context, tag=tag) if paging else len(views)
    releases = Releases(caller.context)
    answer: shapes.ClusterList = {
        "databases": [_present(caller, view, releases) for view in views],
        **describe_page(paging, total),
    }
    return Json(answer)


@router.post(
    "",
    operation_id="databases_create_cluster",
    status_code=201,
    response_model=shapes.ClusterAnswer,
)
def create_cluster(caller: Creator, body: ClusterBody) -> Json:
    """Create a cluster. It is `creating` at first, and its connection final already."""
    request = _parse_request(body, caller.context.majors())
    cluster_id = uuid4()
    if body.dry_run:
        view = clusters.preview_cluster(caller.context, cluster_id, request)
    else:
        view = clusters.create_cluster(
            caller.context, caller.actor, cluster_id, request, attempt=caller.attempt
        )
    return _answer(caller, view, 201)


@router.get(
    "/{database_cluster_uuid}",
    operation_id="databases_get_cluster",
    response_model=shapes.ClusterAnswer,
)
def get_cluster(caller: Reader, cluster_id: ClusterId) -> Json:
    """One cluster."""
    view = clusters.get_cluster(caller.context, cluster_id, reveal=caller.may_see_passwords)
    return _answer(caller, view, 200)


@router.delete(
    "/{database_cluster_uuid}", operation_id="databases_destroy_cluster", status_code=204
)
def delete_cluster(caller: Deleter, cluster_id: ClusterId) -> Response:
    """Delete a cluster with everything in it. Its data directory is kept for a grace period."""
    clusters.delete_cluster(caller.context, caller.actor, cluster_id)
    return no_content()


def _parse_request(body: ClusterBody, majors: list[str]) -> ClusterRequest:
    if body.backup_restore:
        raise InvalidField("backup_restore", "there are no backups to restore from")
    storage = body.autoscale.storage if body.autoscale else body.storage_autoscale
    return parse_cluster_request(
        name=body.name,
        engine=body.engine,
        version=body.version,
        size=body.size,
        region=body.region,
        num_nodes=body.num_nodes,
        majors=majors,
        storage_size_mib=body.storage_size_mib,
        tags=body.tags or (),
        private_network_uuid=body.private_network_uuid,
        project_id=body.project_id,
        rules=read_rules(body.rules),
        service_cnames=read_service_names(body.do_settings),
        autoscale=read_autoscale(storage),
    )


def _answer(caller: Caller, view: ClusterView, status: int) -> Json:
    answer: shapes.ClusterAnswer = {"database": _present(caller, view, Releases(caller.context))}
    return Json(answer, status)


def _present(caller: Caller, view: ClusterView, releases: Releases) -> shapes.Cluster:
    connection = connections.cluster_connection(caller.context, view)
    return present_cluster(
        view,
        connection,
        release=releases.find(view.cluster),
        reveal=caller.may_see_passwords,
        api_port=caller.context.api_port,
    )
