"""Our own additions: ``/v1``, where things stand and what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

import poolkeeper
from poolkeeper.api import own_shapes
from poolkeeper.api.answers import Json
from poolkeeper.api.auth import Reader, make_router
from poolkeeper.api.bodies import PlanBody
from poolkeeper.api.moments import show_moment
from poolkeeper.api.own_present import (
    present_cluster_standing,
    present_event,
    present_plan,
    present_pool_detail,
)
from poolkeeper.api.paths import OwnClusterId, PoolName
from poolkeeper.domain.errors import InvalidField, NotFound
from poolkeeper.domain.events import EventKind, EventSearch
from poolkeeper.domain.pools import parse_mode
from poolkeeper.usecases import clusters, pools
from poolkeeper.usecases.pools import ShapeChange

MAX_EVENTS = 1000
MAX_SEARCH = 200

router = make_router("Standing", "/v1")
open_router = APIRouter(prefix="/v1", tags=["Standing"])


@open_router.get("/health", operation_id="health_get", response_model=own_shapes.Health)
async def get_health(request: Request) -> Json:
    """Whether the control plane is up. Needs no token."""
    started_at: datetime = request.app.state.started_at
    answer: own_shapes.Health = {
        "status": "ok",
        "version": poolkeeper.__version__,
        "started_at": show_moment(started_at),
    }
    return Json(answer)


@router.get(
    "/clusters",
    operation_id="clusters_list",
    response_model=own_shapes.ClusterStandingList,
)
def list_clusters(caller: Reader) -> Json:
    """Where every cluster stands."""
    answer: own_shapes.ClusterStandingList = {
        "clusters": [
            present_cluster_standing(detail) for detail in clusters.list_details(caller.context)
        ]
    }
    return Json(answer)


@router.get(
    "/clusters/{cluster_id}",
    operation_id="clusters_get",
    response_model=own_shapes.ClusterStandingAnswer,
)
def get_cluster(caller: Reader, cluster_id: OwnClusterId) -> Json:
    """Where a cluster stands, with its processes and pools."""
    detail = clusters.get_detail(caller.context, cluster_id)
    answer: own_shapes.ClusterStandingAnswer = {"cluster": present_cluster_standing(detail)}
    return Json(answer)


@router.get(
    "/clusters/{cluster_id}/pools/{pool_name}",
    operation_id="clusters_get_pool",
    response_model=own_shapes.PoolStandingAnswer,
)
def get_pool(caller: Reader, cluster_id: OwnClusterId, name: PoolName) -> Json:
    """Where a pool stands, and who its clients are."""
    detail = clusters.get_detail(caller.context, cluster_id)
    for pool in detail.pools:
        if pool.name == name:
            answer: own_shapes.PoolStandingAnswer = {"pool": present_pool_detail(detail, pool)}
            return Json(answer)
    raise NotFound("not found")


@router.post(
    "/clusters/{cluster_id}/pools/{pool_name}/plan",
    operation_id="clusters_plan_pool",
    response_model=own_shapes.PlanAnswer,
)
def plan_pool(caller: Reader, cluster_id: OwnClusterId, name: PoolName, body: PlanBody) -> Json:
    """What a change of a pool would do to its clients and the budget. Changes nothing."""
    mode = None if body.mode is None else parse_mode(body.mode)
    change = ShapeChange(size=body.size, mode=mode, db=body.db, user=body.user)
    plan = pools.plan_pool(caller.context, cluster_id, name, change)
    answer: own_shapes.PlanAnswer = {"plan": present_plan(plan)}
    return Json(answer)


@router.get("/events", operation_id="events_list", response_model=own_shapes.EventList)
def list_events(
    caller: Reader,
    cluster_id: Annotated[
        str | None,
        Query(
            description="Only what concerns this cluster, which may be gone by now.",
            json_schema_extra={"format": "uuid"},
        ),
    ] = None,
    kind: Annotated[
        list[EventKind] | None, Query(description="Only these, such as `pool_update`.")
    ] = None,
    actor: Annotated[
        str, Query(max_length=MAX_SEARCH, description="Only by whose name has this in it.")
    ] = "",
    text: Annotated[
        str, Query(max_length=MAX_SEARCH, description="Only those with this anywhere in them.")
    ] = "",
    before: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="Only those before the one of this id.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_EVENTS)] = 100,
) -> Json:
    """What happened, newest first. `before` turns to the next page."""
    events = clusters.list_events(
        caller.context,
        cluster_id=_parse_uuid(cluster_id),
        search=EventSearch(frozenset(kind or ()), actor, text, before),
        limit=limit,
    )
    answer: own_shapes.EventList = {"events": [present_event(event) for event in events]}
    return Json(answer)


def _parse_uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise InvalidField("cluster_id", "must be a UUID") from None
