"""Where everything of a cluster lies in the state directory.

::

    <state>/                    0710  ours; the servers' account may pass through
    ├── clusters/<uuid>/        0700  the account's, with all below
    │   ├── data/                     PostgreSQL's own
    │   ├── postgresql.conf, pg_hba.conf, pg_ident.conf
    │   ├── server.crt, server.key, ca.crt
    │   ├── log/                      what PostgreSQL and PgBouncer write
    │   ├── pooler/                   PgBouncer's files
    │   └── name                      the cluster's name, for people who look
    └── run/<direct port>/      0700  the account's: Unix sockets
        ├── .s.PGSQL.<port>
        └── pooler-<n>/               each PgBouncer process's admin socket
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from poolkeeper.domain.clusters import Ports
from poolkeeper.domain.errors import EngineError
from poolkeeper.engine.accounts import Account
from poolkeeper.engine.files import make_directory

# sun_path of unix(7) has 108 bytes with its closing zero.
MAX_SOCKET_PATH = 107

_CLUSTERS = "clusters"
_RUN = "run"


@dataclass(frozen=True)
class ClusterPaths:
    """The paths of one cluster."""

    root: Path
    data: Path
    postgres_conf: Path
    postgres_hba: Path
    postgres_ident: Path
    log: Path
    certificate: Path
    key: Path
    ca: Path
    pooler: Path
    run: Path
    name_file: Path

    @classmethod
    def of(cls, state_dir: Path, cluster_id: UUID, ports: Ports) -> ClusterPaths:
        """``run`` is named for the port, not the id: the path of a socket must be short."""
        root = state_dir / _CLUSTERS / str(cluster_id)
        return cls(
            root=root,
            data=root / "data",
            postgres_conf=root / "postgresql.conf",
            postgres_hba=root / "pg_hba.conf",
            postgres_ident=root / "pg_ident.conf",
            log=root / "log",
            certificate=root / "server.crt",
            key=root / "server.key",
            ca=root / "ca.crt",
            pooler=root / "pooler",
            run=state_dir / _RUN / str(ports.direct),
            name_file=root / "name",
        )

    def pooler_run(self, index: int) -> Path:
        """The folder of one PgBouncer process's admin socket."""
        return self.run / f"pooler-{index}"


def make_state_folders(state_dir: Path, account: Account | None) -> None:
    """Make the state directory, if missing, and the folders that hold all clusters'.

    With an account (we are root) they stay root's, and the account's group may pass through.
    The state directory may be a symbolic link, those below may not. Raises OSError.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    state_dir = state_dir.resolve()
    for folder in (state_dir, state_dir / _CLUSTERS, state_dir / _RUN):
        if account is None:
            make_directory(folder, None, 0o700)
        else:
            make_directory(folder, Account("root", os.geteuid(), account.gid), 0o710)


def make_cluster_folders(paths: ClusterPaths, account: Account | None) -> None:
    """Make the folders of one cluster, ``data`` and ``pooler_run`` excepted. Raises OSError."""
    for folder in (paths.root, paths.log, paths.pooler, paths.run):
        make_directory(folder, account, 0o700)


def check_socket_paths(state_dir: Path) -> None:
    """Raises EngineError if Unix sockets below this state directory had too long a path."""
    longest = state_dir / _RUN / "65535" / "pooler-99" / ".s.PGSQL.65535"
    excess = len(os.fsencode(longest)) - MAX_SOCKET_PATH
    if excess > 0:
        raise EngineError(
            f"state directory {state_dir}: its path is {excess} bytes too long for Unix sockets"
            f" below it; choose a shorter one"
        )
