"""What every usecase works with; built once in ``wiring``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from poolkeeper.store.changes import Changes
from poolkeeper.store.database import Store
from poolkeeper.store.observations import Observations


@dataclass(frozen=True)
class Context:
    """The store, the way to the reconciler, and the facts of this host.

    ``majors()``: installed PostgreSQL majors, best first. ``port_is_free(port)``: whether
    a cluster could listen there. ``random_bytes(n)``: chance, from the operating system.
    """

    store: Store
    changes: Changes
    observations: Observations
    public_host: str
    first_port: int
    wait_seconds: float
    ca_certificate: str
    majors: Callable[[], list[str]]
    port_is_free: Callable[[int], bool]
    random_bytes: Callable[[int], bytes]
