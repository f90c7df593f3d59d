"""The files of one cluster's PgBouncer: written together, and put back together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.entries import Entry
from poolkeeper.domain.firewall import allowed_networks
from poolkeeper.engine.files import read_file, write_if_changed
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.hba import render_hba
from poolkeeper.engine.pgbouncer.render import (
    PoolerSettings,
    render_main,
    render_users,
)
from poolkeeper.reconcile.host import Host

# In the order of writing: users and rules before the entries that need them.
_NAMES = ("userlist.txt", "pgbouncer_hba.conf", "pgbouncer-1.ini")


class PoolerFiles:
    """Nothing is kept here: the files are the memory."""

    def __init__(self, host: Host, paths: ClusterPaths) -> None:
        self._host = host
        self._paths = paths

    def write(self, desired: Desired, entries: Sequence[Entry]) -> bool:
        """Render all files and write those that differ; True if any did. Raises OSError."""
        texts = {
            "userlist.txt": render_users(desired.users, desired.console_password),
            "pgbouncer_hba.conf": render_hba(entries, allowed_networks(desired.rules)),
            "pgbouncer-1.ini": render_main(self._paths, self._settings(desired), entries),
        }
        return self._write_texts(texts)

    def read(self) -> dict[str, bytes]:
        """The texts as they stand, to be put back if a change is refused. Raises OSError."""
        found = {name: read_file(self._paths.pooler / name) for name in _NAMES}
        return {name: text for name, text in found.items() if text is not None}

    def put_back(self, texts: Mapping[str, bytes]) -> None:
        """What ``read`` returned. Raises OSError."""
        self._write_texts(texts)

    def _write_texts(self, texts: Mapping[str, str | bytes]) -> bool:
        owner = self._host.processes.account
        # A list: every file is to be written, whatever the first one says.
        return any(
            [
                write_if_changed(self._paths.pooler / name, texts[name], owner=owner)
                for name in _NAMES
                if name in texts
            ]
        )

    def _settings(self, desired: Desired) -> PoolerSettings:
        ports = desired.cluster.ports
        return PoolerSettings(
            self._host.listen,
            ports.pool,
            ports.direct,
            self._host.max_client_conn,
            self._host.query_wait_timeout,
            desired.cluster.config,
            _digest(read_file(self._paths.certificate)),
        )


def _digest(certificate: bytes | None) -> str:
    return hashlib.sha256(certificate or b"").hexdigest()
