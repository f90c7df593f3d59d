"""Kinds of events that people look for together."""

from __future__ import annotations

from poolkeeper.domain.events import EventKind

# By the word that stands in addresses: title, kinds.
GROUPS: dict[str, tuple[str, frozenset[EventKind]]] = {
    "clusters": (
        "Clusters",
        frozenset(
            {
                EventKind.CLUSTER_CREATE,
                EventKind.CLUSTER_ONLINE,
                EventKind.CLUSTER_RESIZE,
                EventKind.CLUSTER_DELETE,
                EventKind.CLUSTER_REMOVED,
            }
        ),
    ),
    "pools": (
        "Pools",
        frozenset(
            {
                EventKind.POOL_CREATE,
                EventKind.POOL_UPDATE,
                EventKind.POOL_DELETE,
                EventKind.POOL_REMOVED,
            }
        ),
    ),
    "users": (
        "Users and databases",
        frozenset(
            {
                EventKind.USER_CREATE,
                EventKind.USER_UPDATE,
                EventKind.USER_RESET_AUTH,
                EventKind.USER_DELETE,
                EventKind.DATABASE_CREATE,
                EventKind.DATABASE_DELETE,
            }
        ),
    ),
    "access": (
        "Trusted sources, tokens, sign-ins",
        frozenset(
            {
                EventKind.FIREWALL_UPDATE,
                EventKind.TOKEN_CREATE,
                EventKind.TOKEN_DELETE,
                EventKind.PANEL_SIGN_IN,
                EventKind.METRICS_CREDENTIALS_UPDATE,
            }
        ),
    ),
    "settings": (
        "Settings and tags",
        frozenset(
            {
                EventKind.CONFIG_UPDATE,
                EventKind.MAINTENANCE_UPDATE,
                EventKind.AUTOSCALE_UPDATE,
                EventKind.DO_SETTINGS_UPDATE,
                EventKind.TAG_CREATE,
                EventKind.TAG_DELETE,
                EventKind.TAG_ASSIGN,
                EventKind.TAG_UNASSIGN,
            }
        ),
    ),
    "servers": (
        "Restarts and trouble",
        frozenset(
            {
                EventKind.MAINTENANCE_INSTALL,
                EventKind.CLUSTER_MAINTENANCE_PERFORM,
                EventKind.SERVER_STARTED,
                EventKind.CHANGE_WITHDRAWN,
            }
        ),
    ),
}
