"""What a page was about that is not there, and where to go from it."""

from __future__ import annotations

from dataclasses import dataclass

from poolkeeper.domain.errors import NotFound, PoolkeeperError
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import require_live_cluster

# By what stands before a name in an address: the noun, the list of such things.
_PARTS = {
    "pools": ("pool", "pools", "All pools"),
    "users": ("user", "users", "All users"),
    "dbs": ("database", "users", "All databases"),
}


@dataclass(frozen=True)
class Gone:
    """``noun`` and ``name`` are empty where the address does not say what it was."""

    noun: str
    name: str
    up: str
    up_text: str


def tell_gone(visit: Visit) -> Gone:
    """What the page of that visit was about, and the nearest thing above it that is there."""
    parts = visit.request.path_params
    if "cluster_id" not in parts:
        return Gone("", "", "/", "Back to the start")
    try:
        cluster = require_live_cluster(visit.context, visit.cluster_id)
    except NotFound:
        return Gone("database cluster", "", "/databases", "All databases")
    except PoolkeeperError:
        return Gone("", "", "/", "Back to the start")
    base = f"/databases/{cluster.id}"
    kind = visit.path.removeprefix(f"{base}/").partition("/")[0]
    if "name" not in parts or kind not in _PARTS:
        return Gone("", "", base, f"To {cluster.name}")
    noun, path, up_text = _PARTS[kind]
    return Gone(noun, str(parts["name"]), f"{base}/{path}", f"{up_text} of {cluster.name}")
