"""A day of samples for pictures: what a cluster does now, told back with a day's ups and downs."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import UUID

from poolkeeper.domain.samples import Sample
from poolkeeper.metrics.history import History

_DAY = 86400
_QUARTER = 900
# So far apart are seconds of which only means over ten of them are kept.
_COARSE = 10

# They stay what they are while load comes and goes.
_STEADY = ("size", "total_bytes", "memory", "database_bytes", "disk", "reserved", "max", "own")

Latest = Mapping[UUID, Sample]


def seed(path: Path, until: int, host: Sample, latest: Latest) -> None:
    """Fill a history whose control plane is not running with the day up to ``until``."""
    chance = random.Random(17)
    history = History(path)
    seconds = [
        *range(until - _DAY, until - _QUARTER, _COARSE),
        *range(until - _QUARTER, until),
    ]
    for second in seconds:
        clusters = {id: _tell(sample, second, until, chance) for id, sample in latest.items()}
        factor = _find_factor(until - second, chance)
        values = _scale(host.cluster, lambda factor=factor: factor)  # type: ignore[misc]
        history.put(second, values, clusters)
    history.stop()


def _tell(sample: Sample, second: int, until: int, chance: random.Random) -> Sample:
    factor = _find_factor(until - second, chance)
    pools = {}
    for name, values in sample.pools.items():
        pools[name] = _scale(values, lambda: factor * chance.uniform(0.85, 1.15))
        _keep_within_size(pools[name])
    cluster = _scale(sample.cluster, lambda: factor * chance.uniform(0.96, 1.04))
    _balance(cluster, pools)
    return Sample(second, cluster, pools)


def _find_factor(ago: int, chance: random.Random) -> float:
    """Most now and least half a day ago; a wave each four minutes, and now and then a burst."""
    day = 0.62 + 0.28 * math.cos(2 * math.pi * ago / _DAY)
    wave = 0.08 * math.cos(2 * math.pi * ago / 240) + 0.03 * math.sin(ago / 37)
    burst = 0.25 if ago > _QUARTER and ago % 5400 < 300 else 0.0
    return max(day + wave + burst + chance.uniform(-0.03, 0.03), 0.05)


def _scale(
    values: Mapping[str, float | None], factor: Callable[[], float]
) -> dict[str, float | None]:
    return {
        name: value
        if value is None or any(word in name for word in _STEADY)
        else min(value * factor(), 100.0)
        if name == "cpu_percent"
        else value * factor()
        for name, value in values.items()
    }


def _keep_within_size(pool: dict[str, float | None]) -> None:
    size = round(pool.get("size") or 0)
    active = min(round(pool.get("backends_active") or 0), size)
    pool["backends_active"] = active
    pool["backends_idle"] = min(round(pool.get("backends_idle") or 0), size - active)
    pool["backends"] = active + pool["backends_idle"]
    for name in ("clients_active", "clients_waiting"):
        pool[name] = round(pool.get(name) or 0)


def _balance(
    cluster: dict[str, float | None], pools: Mapping[str, Mapping[str, float | None]]
) -> None:
    """All of ``max_connections`` is somewhere."""
    pooled = sum(pool.get("backends") or 0 for pool in pools.values())
    direct = round(cluster.get("connections_direct") or 0)
    reserved = cluster.get("connections_reserved") or 0
    cluster["connections_pooled"] = pooled
    cluster["connections_direct"] = direct
    most = cluster.get("connections_max") or 0
    cluster["connections_free"] = max(most - reserved - pooled - direct, 0)
