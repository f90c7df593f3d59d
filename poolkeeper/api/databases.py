"""Databases of a cluster: ``/v2/databases/{id}/dbs``."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json, no_content
from poolkeeper.api.auth import Creator, Deleter, Reader, make_router
from poolkeeper.api.bodies import DatabaseBody
from poolkeeper.api.paging import Paging, cut_page, describe_page
from poolkeeper.api.paths import CLUSTER, ClusterId, DatabaseName
from poolkeeper.api.present import present_database
from poolkeeper.usecases import databases

router = make_router("Databases", f"{CLUSTER}/dbs")


@router.get("", operation_id="databases_list", response_model=shapes.DatabaseList)
def list_databases(caller: Reader, cluster_id: ClusterId, paging: Paging) -> Json:
    """The databases of a cluster."""
    found = databases.list_databases(caller.context, cluster_id)
    answer: shapes.DatabaseList = {
        "dbs": [present_database(item.name) for item in cut_page(found, paging)],
        **describe_page(paging, len(found)),
    }
    return Json(answer)


@router.post(
    "", operation_id="databases_add", status_code=201, response_model=shapes.DatabaseAnswer
)
def create_database(caller: Creator, cluster_id: ClusterId, body: DatabaseBody) -> Json:
    """Create a database, owned by `doadmin`; it is there when this answers."""
    database = databases.create_database(
        caller.context, caller.actor, cluster_id, body.name, attempt=caller.attempt
    )
    answer: shapes.DatabaseAnswer = {"db": present_database(database.name)}
    return Json(answer, 201)


@router.get("/{database_name}", operation_id="databases_get", response_model=shapes.DatabaseAnswer)
def get_database(caller: Reader, cluster_id: ClusterId, name: DatabaseName) -> Json:
    """One database."""
    database = databases.get_database(caller.context, cluster_id, name)
    answer: shapes.DatabaseAnswer = {"db": present_database(database.name)}
    return Json(answer)


@router.delete("/{database_name}", operation_id="databases_delete", status_code=204)
def delete_database(caller: Deleter, cluster_id: ClusterId, name: DatabaseName) -> Response:
    """Drop a database, with the sessions in it. Not while a pool uses it."""
    databases.delete_database(caller.context, caller.actor, cluster_id, name)
    return no_content()
