"""Settings of a cluster's servers: ``/v2/databases/{id}/config``."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json
from poolkeeper.api.auth import Reader, Updater, make_router
from poolkeeper.api.bodies import ConfigBody
from poolkeeper.api.paths import CLUSTER, ClusterId
from poolkeeper.usecases import config

router = make_router("Settings", f"{CLUSTER}/config")


@router.get("", operation_id="databases_get_config", response_model=shapes.ConfigAnswer)
def get_config(caller: Reader, cluster_id: ClusterId) -> Json:
    """Every setting of a cluster that can be changed, with its value: what was set, else the
    default."""
    answer: shapes.ConfigAnswer = {"config": dict(config.get_config(caller.context, cluster_id))}
    return Json(answer)


@router.patch("", operation_id="databases_patch_config", status_code=200, response_class=Response)
def patch_config(caller: Updater, cluster_id: ClusterId, body: ConfigBody) -> Response:
    """Change some settings and leave the others; `null` takes one back to its default.

    They are in force when this answers, and nobody was disconnected; those that take a restart
    of PostgreSQL wait for the maintenance window, which then says so. A setting that is not
    known is an error.
    """
    config.patch_config(caller.context, caller.actor, cluster_id, body.config)
    return Response(status_code=200)
