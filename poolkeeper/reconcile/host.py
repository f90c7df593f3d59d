"""What the reconciler works with on this host; built once in ``wiring``."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from poolkeeper.domain.errors import EngineError
from poolkeeper.engine.certificates import Authority
from poolkeeper.engine.pgbouncer.binary import Binary
from poolkeeper.engine.postgres.binaries import Installation
from poolkeeper.engine.processes import Processes
from poolkeeper.store.changes import Changes
from poolkeeper.store.database import Store
from poolkeeper.store.observations import Observations


@dataclass(frozen=True)
class Host:
    """The store, the servers' programs and the settings that concern them.

    ``find_pgbouncer`` raises EngineError when there is none that is new enough.
    ``drain``: how long clients of a deleted pool may stay. ``keep_data``: how long the data
    of a deleted cluster is kept. ``restart_wait``: how many seconds a planned restart waits
    for transactions and sessions that last; ``restart_cuts``: whether it cuts them then.
    """

    store: Store
    changes: Changes
    observations: Observations
    processes: Processes
    authority: Authority
    state_dir: Path
    listen: str
    certificate_names: Sequence[str]
    find_pgbouncer: Callable[[], Binary]
    find_installation: Callable[[str], Installation]
    now: Callable[[], datetime]
    max_client_conn: int
    query_wait_timeout: int
    drain: timedelta
    keep_data: timedelta
    restart_wait: float
    restart_cuts: bool

    def limit_wait(self, longest: float) -> float:
        """For how many seconds clients of pools may be kept waiting: PgBouncer cuts those that
        wait for ``query_wait_timeout``."""
        return min(longest, self.query_wait_timeout / 2) if self.query_wait_timeout else longest

    @property
    def server_account(self) -> str:
        """The name of the system account that the servers run as. Raises EngineError."""
        account, uid = self.processes.account, os.geteuid()
        try:
            return account.name if account else pwd.getpwuid(uid).pw_name
        except KeyError:
            raise EngineError(
                f"the user id {uid} has no name on this host, and PostgreSQL does not run without"
                " one; add a line for it to /etc/passwd, or start as another user"
            ) from None
