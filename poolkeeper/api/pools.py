"""Pools of a cluster: ``/v2/databases/{id}/pools``."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json, no_content
from poolkeeper.api.auth import Caller, Creator, Deleter, Reader, Updater, make_router
from poolkeeper.api.bodies import PoolBody, PoolShapeBody
from poolkeeper.api.paging import Paging, cut_page, describe_page
from poolkeeper.api.paths import CLUSTER, ClusterId, PoolName
from poolkeeper.api.present import present_pool
from poolkeeper.domain.pools import Pool, PoolShape, parse_mode
from poolkeeper.usecases import connections, pools

router = make_router("Pools", f"{CLUSTER}/pools")


@router.get("", operation_id="databases_list_connectionPools", response_model=shapes.PoolList)
def list_pools(caller: Reader, cluster_id: ClusterId, paging: Paging) -> Json:
    """The pools of a cluster."""
    reveal = caller.may_see_passwords
    found = pools.list_pools(caller.context, cluster_id)
    page = cut_page(found, paging)
    ways = connections.read_pool_connections(caller.context, cluster_id, page, reveal=reveal)
    answer: shapes.PoolList = {
        "pools": [
            present_pool(pool, connection, reveal=reveal)
            for pool, connection in zip(page, ways, strict=True)
        ],
        **describe_page(paging, len(found)),
    }
    return Json(answer)


@router.post(
    "",
    operation_id="databases_add_connectionPool",
    status_code=201,
    response_model=shapes.PoolAnswer,
)
def create_pool(caller: Creator, cluster_id: ClusterId, body: PoolBody) -> Json:
    """Create a pool; clients can connect through its URI when this answers."""
    shape = _parse_shape(body)
    pool = pools.create_pool(
        caller.context, caller.actor, cluster_id, body.name, shape, attempt=caller.attempt
    )
    return _answer(caller, cluster_id, pool, 201)


@router.get(
    "/{pool_name}",
    operation_id="databases_get_connectionPool",
    response_model=shapes.PoolAnswer,
)
def get_pool(caller: Reader, cluster_id: ClusterId, name: PoolName) -> Json:
    """One pool."""
    pool = pools.get_pool(caller.context, cluster_id, name)
    return _answer(caller, cluster_id, pool, 200)


@router.put("/{pool_name}", operation_id="databases_update_connectionPool", status_code=204)
def update_pool(
    caller: Updater, cluster_id: ClusterId, name: PoolName, body: PoolShapeBody
) -> Response:
    """Replace a pool's shape, whole: without a user it becomes one of inbound users.

    It is in force when this answers, and nobody was disconnected.
    """
    shape = _parse_shape(body)
    pools.update_pool(caller.context, caller.actor, cluster_id, name, shape)
    return no_content()


@router.delete("/{pool_name}", operation_id="databases_delete_connectionPool", status_code=204)
def delete_pool(caller: Deleter, cluster_id: ClusterId, name: PoolName) -> Response:
    """Delete a pool: its name is free at once; its clients have a moment to leave."""
    pools.delete_pool(caller.context, caller.actor, cluster_id, name)
    return no_content()


def _parse_shape(body: PoolShapeBody) -> PoolShape:
    return PoolShape(body.db, body.user or None, parse_mode(body.mode), body.size)


def _answer(caller: Caller, cluster_id: ClusterId, pool: Pool, status: int) -> Json:
    connection = connections.read_pool_connection(caller.context, cluster_id, pool)
    shown = present_pool(pool, connection, reveal=caller.may_see_passwords)
    answer: shapes.PoolAnswer = {"pool": shown}
    return Json(answer, status)
