"""What every usecase works with; built once in ``wiring``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from poolkeeper.domain.memory import Machine
from poolkeeper.domain.samples import Samples
from poolkeeper.domain.sessions import SessionLimits
from poolkeeper.store.changes import Changes
from poolkeeper.store.database import Store
from poolkeeper.store.observations import Observations
from poolkeeper.usecases.applied_times import AppliedTimes
from poolkeeper.usecases.attempts import Attempts
from poolkeeper.usecases.turns import Turns


@dataclass(frozen=True)
class Context:
    """The store, the way to the reconciler, what was sampled, and the facts of this host.

    ``grace``: how long a deleted pool's share of the budget is kept for its name.
    ``majors()``: installed PostgreSQL majors, best first. ``releases()``: the release of each,
    such as 15.14. ``port_is_free(port)``: whether
    a cluster could listen there. ``random_bytes(n)``: chance, from the operating system.
    ``machine()``: the memory and processors that servers may use. ``keep_data``: how long the
    data directory of a deleted cluster is kept. ``restart_wait``: how long a planned restart
    waits for those whom it would cut; ``restart_cuts``: whether it cuts them then.
    ``query_wait_timeout``: PgBouncer's, in seconds. These are the reconciler's, and here to be
    told of.
    """

    store: Store
    changes: Changes
    observations: Observations
    samples: Samples
    public_host: str
    api_port: int
    first_port: int
    wait_seconds: float
    grace: timedelta
    ca_certificate: str
    majors: Callable[[], list[str]]
    port_is_free: Callable[[int], bool]
    random_bytes: Callable[[int], bytes]
    machine: Callable[[], Machine]
    releases: Callable[[], Mapping[str, str]] = dict
    session_limits: SessionLimits = field(default_factory=SessionLimits)
    keep_data: timedelta = timedelta(days=7)
    restart_wait: timedelta = timedelta(seconds=30)
    restart_cuts: bool = True
    query_wait_timeout: int = 120
    applied_times: AppliedTimes = field(default_factory=AppliedTimes)
    attempts: Attempts = field(default_factory=Attempts)
    turns: Turns = field(default_factory=Turns)
