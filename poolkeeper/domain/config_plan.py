"""When changes of settings come into force, said before they are made. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from poolkeeper.domain.clusters import MaintenanceWindow
from poolkeeper.domain.config_options import OPTIONS
from poolkeeper.domain.maintenance import find_next_restart


@dataclass(frozen=True)
class ConfigPlan:
    """``live``: settings that are in force at once. ``waiting``: those that PostgreSQL takes up
    at its next restart. ``restart_at``: when that is; ``is_due``: at once, because the
    maintenance window is open and has had no restart yet."""

    live: tuple[str, ...]
    waiting: tuple[str, ...]
    restart_at: datetime
    is_due: bool


def plan_config(
    names: Collection[str], window: MaintenanceWindow, started_at: datetime | None, now: datetime
) -> ConfigPlan:
    """What becomes of changes of these settings, by flat name, while PostgreSQL runs since
    ``started_at`` (None if that was not seen)."""
    restart_at = find_next_restart(window, started_at, now)
    return ConfigPlan(
        live=tuple(name for name in names if not OPTIONS[name].restart),
        waiting=tuple(name for name in names if OPTIONS[name].restart),
        restart_at=restart_at,
        is_due=restart_at <= now,
    )
