"""What happened, in DigitalOcean's few words for it."""

from __future__ import annotations

from typing import Literal

from poolkeeper.domain.events import EventKind

ClusterEventType = Literal[
    "cluster_maintenance_perform",
    "cluster_master_promotion",
    "cluster_create",
    "cluster_update",
    "cluster_delete",
    "cluster_poweron",
    "cluster_poweroff",
]

# Whatever is in neither of the two is a change of the cluster.
_TYPES: dict[EventKind, ClusterEventType] = {
    EventKind.CLUSTER_CREATE: "cluster_create",
    EventKind.CLUSTER_DELETE: "cluster_delete",
    EventKind.CLUSTER_MAINTENANCE_PERFORM: "cluster_maintenance_perform",
    EventKind.SERVER_STARTED: "cluster_poweron",
}
# They end what another event began, or concern no cluster.
LEFT_OUT = frozenset(
    {
        EventKind.CLUSTER_ONLINE,
        EventKind.CLUSTER_REMOVED,
        EventKind.POOL_REMOVED,
        EventKind.TAG_CREATE,
        EventKind.TAG_DELETE,
        EventKind.TOKEN_CREATE,
        EventKind.TOKEN_DELETE,
        EventKind.PANEL_SIGN_IN,
    }
)


def name_type(kind: EventKind) -> ClusterEventType | None:
    """DigitalOcean's type of an event; None if it has no word for it."""
    return None if kind in LEFT_OUT else _TYPES.get(kind, "cluster_update")
