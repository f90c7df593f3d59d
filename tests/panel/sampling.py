"""Samples as tests put them into the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast
from uuid import UUID

from poolkeeper.domain.samples import Sample, Values
from poolkeeper.metrics.history import History
from tests.panel.browsing import Panel


def put_samples(
    panel: Panel,
    cluster_id: UUID,
    cluster: Values,
    pools: Mapping[str, Values] | None = None,
    *,
    host: Values | None = None,
    seconds: int = 1,
) -> int:
    """The same for so many seconds up to now; the newest of them (Unix time)."""
    history = cast(History, panel.context.samples)
    now = int(panel.clock.moment.timestamp())
    for second in range(now - seconds + 1, now + 1):
        history.put(second, host or {}, {cluster_id: Sample(second, cluster, pools or {})})
    return now
