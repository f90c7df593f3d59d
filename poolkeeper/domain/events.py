"""What happened, to be read by people: the audit trail."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


class EventKind(enum.StrEnum):
    """``noun_verb``, DigitalOcean's way of naming them."""

    CLUSTER_CREATE = "cluster_create"
    CLUSTER_ONLINE = "cluster_online"
    CLUSTER_RESIZE = "cluster_resize"
    CLUSTER_MAINTENANCE_PERFORM = "cluster_maintenance_perform"
    MAINTENANCE_UPDATE = "maintenance_update"
    MAINTENANCE_INSTALL = "maintenance_install"
    CLUSTER_DELETE = "cluster_delete"
    CLUSTER_REMOVED = "cluster_removed"
    DATABASE_CREATE = "database_create"
    DATABASE_DELETE = "database_delete"
    USER_CREATE = "user_create"
    USER_DELETE = "user_delete"
    USER_UPDATE = "user_update"
    USER_RESET_AUTH = "user_reset_auth"
    POOL_CREATE = "pool_create"
    POOL_UPDATE = "pool_update"
    POOL_DELETE = "pool_delete"
    POOL_REMOVED = "pool_removed"
    CONFIG_UPDATE = "config_update"
    FIREWALL_UPDATE = "firewall_update"
    CHANGE_WITHDRAWN = "change_withdrawn"
    SERVER_STARTED = "server_started"
    TAG_CREATE = "tag_create"
    TAG_DELETE = "tag_delete"
    TAG_ASSIGN = "tag_assign"
    TAG_UNASSIGN = "tag_unassign"
    AUTOSCALE_UPDATE = "autoscale_update"
    DO_SETTINGS_UPDATE = "do_settings_update"
    METRICS_CREDENTIALS_UPDATE = "metrics_credentials_update"
    TOKEN_CREATE = "token_create"
    TOKEN_DELETE = "token_delete"
    PANEL_SIGN_IN = "panel_sign_in"


@dataclass(frozen=True)
class Event:
    """One entry. ``actor`` is a token's name, or ``reconciler``; ``detail`` has no secrets."""

    kind: EventKind
    actor: str
    subject: str
    cluster_id: UUID | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedEvent:
    """An entry as it stands in the store.

    ``applied_ms``: milliseconds from the change until it was in force; None if nobody waited
    for it, or it was not.
    """

    id: int
    at: datetime
    event: Event
    cluster_name: str | None
    applied_ms: int | None = None


@dataclass(frozen=True)
class EventSearch:
    """What is looked for in the audit trail; what is empty or None does not matter.

    ``actor`` and ``text`` are parts of what stands there, in capitals or not; ``text`` may be
    in any word of an entry. ``before``: entries older than the one with this id;
    ``since``: that one, and newer ones.
    """

    kinds: frozenset[EventKind] = frozenset()
    actor: str = ""
    text: str = ""
    before: int | None = None
    since: int | None = None

    @property
    def looks_through(self) -> bool:
        """Whether entries have to be looked at to know: no index leads to them."""
        return bool(self.kinds or self.actor or self.text)


EVERYTHING = EventSearch()
