"""Cutting whoever may not connect any more, once new logins of theirs are refused.

Both servers look at the address of a client when it logs in and never again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.firewall import Network, allowed_networks, is_allowed
from poolkeeper.reconcile.backends import Backends
from poolkeeper.reconcile.pooler import Pooler

# A login that was let in just before the rules changed cannot be seen until it is through.
_LOGINS_TAKE = 2.0
_UNKNOWN = object()

_log = structlog.get_logger("poolkeeper.reconcile")


class Firewall:
    """Remembers for which rules it has cut, so that most passes have nothing to look at.

    A new control plane knows nothing and looks: its predecessor may have been killed
    between the new rules and the cut.
    """

    def __init__(self, pooler: Pooler, backends: Backends) -> None:
        self._pooler = pooler
        self._backends = backends
        self._cut_for: object = _UNKNOWN
        self._again_until = 0.0
        self._due = True

    def look_again(self) -> None:
        """Have the next pass look, whatever is remembered."""
        self._due = True

    def cut(self, desired: Desired) -> bool:
        """Cut clients of both servers that may not connect; nobody else is touched.

        Both must have read the rules. True while logins may still be under way: the next
        pass is to look again. Raises EngineError.
        """
        networks = allowed_networks(desired.rules)
        now = time.monotonic()
        if networks != self._cut_for:
            self._again_until = now + _LOGINS_TAKE
        elif now >= self._again_until and not self._due:
            return False
        if networks is not None:
            clients = self._cut_pool_clients(desired, networks)
            sessions = self._backends.end_outsiders(desired, networks)
            if clients or sessions:
                name = desired.cluster.name
                _log.info("outsiders_cut", cluster=name, clients=clients, sessions=sessions)
        self._cut_for = networks
        self._due = False
        return networks is not None and now < self._again_until

    def _cut_pool_clients(self, desired: Desired, networks: Sequence[Network]) -> int:
        console = self._pooler.open_console(desired)
        clients = console.list_client_addresses()
        outside = {each for each in {*clients.values()} if not is_allowed(networks, each)}
        cut = [id for id, address in clients.items() if address in outside]
        for id in cut:
            console.kill_client(id)
        return len(cut)
