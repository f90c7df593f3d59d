"""When what takes a restart of PostgreSQL may happen, and whether one is due. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from poolkeeper.domain.clusters import Cluster, MaintenanceWindow
from poolkeeper.domain.errors import InvalidField
from poolkeeper.domain.status import ClusterState

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

DURATION = timedelta(hours=4)

# Before a window closes, so that there is time for the restart.
_LAST_CALL = timedelta(minutes=10)
_WEEK = timedelta(weeks=1)
_HOUR = re.compile(r"(?P<minute>(?:[01]\d|2[0-3]):[0-5]\d)(?P<second>:[0-5]\d)?", re.ASCII)


class RestartCause(enum.StrEnum):
    """Why PostgreSQL is restarted on purpose."""

    ASKED = "asked"
    WINDOW = "maintenance window"


def parse_window(day: str, hour: str) -> MaintenanceWindow:
    """The window, as it is shown: ``sunday``, ``03:00:00``. Raises InvalidField."""
    if day.lower() not in DAYS:
        raise InvalidField("day", f"{day!r} is none of {', '.join(DAYS)}")
    match = _HOUR.fullmatch(hour)
    if match is None:
        raise InvalidField("hour", f"{hour!r} is no time of the day, such as 03:00, in UTC")
    return MaintenanceWindow(day.lower(), match["minute"] + (match["second"] or ":00"))


def find_opening(window: MaintenanceWindow, now: datetime) -> datetime | None:
    """When the window opened that is open now; None if it is closed. ``now`` is in UTC."""
    latest = _find_latest_opening(window, now)
    return latest if now < latest + DURATION else None


def find_next_restart(
    window: MaintenanceWindow, started_at: datetime | None, now: datetime
) -> datetime:
    """When what waits for a restart of PostgreSQL, which runs since ``started_at``, gets it: at
    the next opening, or at once if that lies in the past.

    A window has one restart at most, so that what a restart does not cure cannot have one
    follow the other.
    """
    opening = find_opening(window, now)
    if opening is not None and (started_at is None or started_at < opening):
        return opening
    return _find_latest_opening(window, now) + _WEEK


def is_patience_over(
    cause: RestartCause, window: MaintenanceWindow, waited: float, patience: float, now: datetime
) -> bool:
    """Whether a planned restart is to cut those whom it has waited for, for so many seconds.

    Who asked for it waits for ``patience`` seconds. In a window nobody is in a hurry: it waits
    as long as the window is open.
    """
    if waited < patience:
        return False
    opening = find_opening(window, now)
    if cause is RestartCause.ASKED or opening is None:
        return True
    return now >= opening + DURATION - _LAST_CALL


def _find_latest_opening(window: MaintenanceWindow, now: datetime) -> datetime:
    hour, minute, second = map(int, window.hour.split(":"))
    opening = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    opening += timedelta(days=DAYS.index(window.day) - now.weekday())
    return opening if opening <= now else opening - _WEEK


def describe_pending(settings: Sequence[str], running: str, installed: str) -> tuple[str, ...]:
    """What waits for a restart, in sentences: ``settings`` that were changed, and the version
    that is installed, if another one runs."""
    sentences = []
    if settings:
        sentences.append(f"restart PostgreSQL to apply {', '.join(settings)}")
    if running != installed:
        sentences.append(f"PostgreSQL {installed} is installed, {running} runs")
    return tuple(sentences)


def decide_restart(
    cluster: Cluster, state: ClusterState, started_at: datetime, now: datetime
) -> RestartCause | None:
    """Whether PostgreSQL, which runs since ``started_at``, is to be restarted, and why.

    Only if something waits for it.
    """
    if not state.pending:
        return None
    if cluster.restart_generation > state.restarted_generation:
        return RestartCause.ASKED
    if find_next_restart(cluster.maintenance, started_at, now) <= now:
        return RestartCause.WINDOW
    return None
