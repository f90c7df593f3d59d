"""Moments as text: RFC 3339, UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def show_second(moment: datetime) -> str:
    """To the second, as DigitalOcean shows it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def show_moment(moment: datetime) -> str:
    """To the millisecond, so that what follows quickly can be told apart."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"
