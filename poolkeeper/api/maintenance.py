"""What takes a restart of PostgreSQL: another size, the maintenance window, updates."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.api.answers import accepted, no_content
from poolkeeper.api.auth import Updater, make_router
from poolkeeper.api.bodies import ResizeBody, WindowBody
from poolkeeper.api.paths import CLUSTER, ClusterId
from poolkeeper.domain.clusters import parse_resize_request
from poolkeeper.domain.maintenance import parse_window
from poolkeeper.usecases import maintenance
from poolkeeper.usecases.resize import resize_cluster as resize

router = make_router("Clusters", CLUSTER)


@router.put(
    "/resize",
    operation_id="databases_update_clusterSize",
    status_code=202,
    response_class=Response,
)
def resize_cluster(caller: Updater, cluster_id: ClusterId, body: ResizeBody) -> Response:
    """Give a cluster another size. It is `resizing` until PostgreSQL was restarted with it;
    clients of pools wait for that moment."""
    request = parse_resize_request(
        size=body.size, num_nodes=body.num_nodes, storage_size_mib=body.storage_size_mib
    )
    resize(caller.context, caller.actor, cluster_id, request)
    return accepted()


@router.put("/maintenance", operation_id="databases_update_maintenanceWindow", status_code=204)
def set_window(caller: Updater, cluster_id: ClusterId, body: WindowBody) -> Response:
    """Choose the four hours of a week in which what waits for a restart is put in force."""
    window = parse_window(body.day, body.hour)
    maintenance.set_window(caller.context, caller.actor, cluster_id, window)
    return no_content()


@router.put("/install_update", operation_id="databases_install_update", status_code=204)
def install_update(caller: Updater, cluster_id: ClusterId) -> Response:
    """Put in force now what waits for a restart, as the cluster's `maintenance_window` says."""
    maintenance.install_update(caller.context, caller.actor, cluster_id)
    return no_content()
