"""When storage is to grow: checked, kept and shown. The disk is the host's own."""

from __future__ import annotations

from poolkeeper.domain.clusters import Autoscale
from poolkeeper.domain.errors import InvalidField

THRESHOLDS = range(15, 96)
INCREMENTS = range(10, 501)


def parse_autoscale(
    enabled: bool, threshold_percent: int | None, increment_gib: int | None
) -> Autoscale:
    """The setting, whole: what is left out, or 0 as Go has it, is as it is at first.

    Raises InvalidField.
    """
    asked = Autoscale(enabled)
    threshold = threshold_percent or asked.threshold_percent
    increment = increment_gib or asked.increment_gib
    _check("storage.threshold_percent", threshold, THRESHOLDS)
    _check("storage.increment_gib", increment, INCREMENTS)
    return Autoscale(enabled, threshold, increment)


def _check(field: str, value: int, bounds: range) -> None:
    if value not in bounds:
        raise InvalidField(field, f"{value} is not a number from {bounds[0]} to {bounds[-1]}")
