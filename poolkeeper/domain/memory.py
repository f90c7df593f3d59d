"""How a cluster's memory is shared out among what PostgreSQL does with it. Pure.

After PostgreSQL's page "Resource Consumption" (a quarter for shared_buffers) and its wiki's
"Tuning Your PostgreSQL Server".
"""

from __future__ import annotations

from dataclasses import dataclass

from poolkeeper.domain.sizes import Size

MIB = 2**20
GIB = 2**30

SHARED_BUFFERS_PERCENTAGE = 25

_AUTOVACUUM_WORKERS = 3

# A query may sort and hash at several places, and each may take work_mem.
_WORK_AREAS = 3


@dataclass(frozen=True)
class Machine:
    """What the host has: ``memory`` in bytes, ``cpus``."""

    memory: int
    cpus: int


@dataclass(frozen=True)
class MemoryShares:
    """PostgreSQL's memory settings, in MiB."""

    shared_buffers: int
    effective_cache_size: int
    maintenance_work_mem: int
    work_mem: int


def find_basis(size: Size, host_memory: int) -> int:
    """The MiB that a cluster of this size may use, on a host with that many bytes.

    The size is what may be used, unless the host has less: then three quarters of the host,
    because the poolers, the control plane and the system live there, too.
    """
    return min(size.gib * GIB, host_memory * 3 // 4) // MIB


def share_memory(
    size: Size, host_memory: int, percentage: float = SHARED_BUFFERS_PERCENTAGE
) -> MemoryShares:
    """What a cluster of this size takes, if so much of it goes to ``shared_buffers``."""
    basis = find_basis(size, host_memory)
    shared_buffers = max(int(basis * percentage / 100), 32)
    maintenance = _clamp(basis // 16, 16, 1024)
    left = basis - shared_buffers - _AUTOVACUUM_WORKERS * maintenance
    return MemoryShares(
        shared_buffers=shared_buffers,
        # What the system's cache and ours hold together; a planner's estimate, not a demand.
        effective_cache_size=max(basis * 3 // 4, shared_buffers),
        maintenance_work_mem=maintenance,
        # Whole MiB, since that is how the API speaks of it.
        work_mem=_clamp(left // (size.max_connections * _WORK_AREAS), 1, 64),
    )


def _clamp(number: int, lowest: int, highest: int) -> int:
    return max(lowest, min(number, highest))
