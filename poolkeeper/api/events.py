"""What happened to a cluster: ``/v2/databases/{id}/events``. ``/v1/events`` tells more."""

from __future__ import annotations

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json
from poolkeeper.api.auth import Reader, make_router
from poolkeeper.api.event_types import name_type
from poolkeeper.api.moments import show_second
from poolkeeper.api.paging import Paging, cut_page, describe_page
from poolkeeper.api.paths import CLUSTER, ClusterId
from poolkeeper.usecases.clusters import list_events, require_live_cluster

MAX_EVENTS = 1000

router = make_router("Clusters", f"{CLUSTER}/events")


@router.get("", operation_id="databases_list_events_logs", response_model=shapes.ClusterEventList)
def list_cluster_events(caller: Reader, cluster_id: ClusterId, paging: Paging) -> Json:
    """What happened to the cluster, newest first, back to its last 1000 events."""
    cluster = require_live_cluster(caller.context, cluster_id)
    recorded = list_events(caller.context, cluster_id=cluster_id, limit=MAX_EVENTS)
    shown: list[shapes.ClusterEvent] = [
        {
            "id": str(entry.id),
            "cluster_name": entry.cluster_name or cluster.name,
            "event_type": event_type,
            "create_time": show_second(entry.at),
        }
        for entry in recorded
        if (event_type := name_type(entry.event.kind)) is not None
    ]
    answer: shapes.ClusterEventList = {
        "events": list(cut_page(shown, paging)),
        **describe_page(paging, len(shown)),
    }
    return Json(answer)
