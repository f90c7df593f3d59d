"""One cluster's PostgreSQL: created in steps, kept running, kept configured.

Each step looks before it acts, so that a pass killed anywhere is simply done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.domain.firewall import allowed_networks
from poolkeeper.domain.status import POSTGRES, ServerProcess
from poolkeeper.engine import certificates, files, layout
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres import render, server
from poolkeeper.engine.postgres.hba import render_hba
from poolkeeper.reconcile.backends import Backends
from poolkeeper.reconcile.configuration import install_conf
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.postgres_conf import PostgresConf

_START_TIMEOUT = 60.0
_RELOAD_TIMEOUT = 15.0
_RELOAD_POLL = 0.005
_CLOCK_GRAIN = 0.02  # the time of a file is as of the kernel's last tick

Progress = Callable[[str], None]


def ensure_postgres(
    host: Host,
    desired: Desired,
    paths: ClusterPaths,
    backends: Backends,
    progress: Progress,
    *,
    is_new: bool,
) -> bool:
    """Bring PostgreSQL to what is wanted; True if it had to be started.

    ``progress`` is told the name of each step before it is made. Unless the cluster ``is_new``,
    its data must be there. Raises EngineError.
    """
    if not is_new:
        _demand_data(paths)
    progress("preparing files")
    layout.make_cluster_folders(paths, host.processes.account)
    files.write_if_changed(
        paths.name_file, desired.cluster.name + "\n", owner=host.processes.account
    )
    changed = _write_configuration(host, desired, paths)
    if not server.is_initialised(paths):
        progress("initialising the data directory")
        installation = host.find_installation(desired.cluster.version)
        server.initialise(paths, installation, host.processes, desired.superuser_password)
    found = server.find_postmaster(paths)
    if found is None:
        progress("starting PostgreSQL")
        backends.close()
        start(host, desired, paths)
        return True
    # It may have been started, and then left to itself, a moment ago.
    port = desired.cluster.ports.direct
    server.wait_until_accepting(paths, port, found, timeout=_START_TIMEOUT)
    if changed or _is_unread(desired, paths, backends):
        progress("reloading PostgreSQL")
        _reload(desired, paths, backends)
    return False


def start(host: Host, desired: Desired, paths: ClusterPaths) -> str:
    """Start the server and wait until it accepts; "" if that went well.

    If it does not start with what is wanted now, it is started with what it last ran with,
    and the reason is returned. Raises ProcessFailed if it starts with neither, or is still at
    recovery; OSError.
    """
    conf = PostgresConf(paths, host.processes.account)
    try:
        _start(host, desired, paths)
    except ProcessFailed as error:
        is_recovering = server.find_postmaster(paths) is not None
        if is_recovering or not conf.refuse(desired.cluster.restart_generation, str(error)):
            raise
        try:
            _start(host, desired, paths)
        except ProcessFailed:
            conf.pardon()
            raise
        return str(error)
    conf.prove()
    return ""


def _start(host: Host, desired: Desired, paths: ClusterPaths) -> None:
    installation = host.find_installation(desired.cluster.version)
    started = server.start(paths, installation, host.processes)
    port = desired.cluster.ports.direct
    server.wait_until_accepting(paths, port, started, timeout=_START_TIMEOUT)


def is_running(paths: ClusterPaths) -> bool:
    return server.find_postmaster(paths) is not None


def read_start(paths: ClusterPaths) -> datetime | None:
    """When the server that runs was started; None if none does."""
    facts = server.find_postmaster(paths)
    return None if facts is None else facts.started_at


def describe(desired: Desired, paths: ClusterPaths, version: str) -> ServerProcess | None:
    """The postmaster, which runs that version, as ``/v1`` shows it."""
    facts = server.find_postmaster(paths)
    if facts is None:
        return None
    port = desired.cluster.ports.direct
    return ServerProcess(POSTGRES, 1, facts.pid, version, port, facts.started_at)


def _demand_data(paths: ClusterPaths) -> None:
    """Raises ProcessFailed: an empty server in the place of a full one would look healthy."""
    if not server.is_initialised(paths):
        raise ProcessFailed(
            f"the data directory {paths.data} is gone, and no empty one is made in its place:"
            " mount it or bring it back from a backup, or destroy the cluster"
        )


def _write_configuration(host: Host, desired: Desired, paths: ClusterPaths) -> bool:
    owner = host.processes.account
    users = [user for user in desired.users if not user.deleted]
    written = [
        files.write_if_changed(paths.ca, host.authority.certificate_pem, owner=owner),
        certificates.ensure_leaf(
            host.authority,
            certificate=paths.certificate,
            key=paths.key,
            names=_list_names(host, desired),
            owner=owner,
            now=host.now(),
        ),
        install_conf(host, desired, paths),
        files.write_if_changed(
            paths.postgres_hba, render_hba(allowed_networks(desired.rules)), owner=owner
        ),
        files.write_if_changed(
            paths.postgres_ident,
            render.render_ident(host.server_account, [user.name for user in users]),
            owner=owner,
        ),
    ]
    return any(written)


def _list_names(host: Host, desired: Desired) -> tuple[str, ...]:
    """What clients may call the cluster: this host's names, and those that were set."""
    return tuple(dict.fromkeys((*host.certificate_names, *desired.cluster.service_cnames)))


def _is_unread(desired: Desired, paths: ClusterPaths, backends: Backends) -> bool:
    """Whether a file is newer than what the server has read: somebody was killed in between."""
    read = (paths.postgres_conf, paths.postgres_hba, paths.postgres_ident)
    newest = max(path.stat().st_mtime for path in (*read, paths.certificate, paths.key))
    return backends.read_load_time(desired).timestamp() <= newest + _CLOCK_GRAIN


def _reload(desired: Desired, paths: ClusterPaths, backends: Backends) -> None:
    """Reload, and wait until new connections see it: the postmaster does so when it can.

    Raises ProcessFailed if it does not in time: who is trusted no more would still be let in.
    """
    before = backends.read_load_time(desired)
    server.reload(paths)
    deadline = time.monotonic() + _RELOAD_TIMEOUT
    # Another time, not a later one: the clock may have been set back.
    while backends.read_load_time(desired) == before:
        if time.monotonic() > deadline:
            raise ProcessFailed(
                f"PostgreSQL has not read its files again within {_RELOAD_TIMEOUT:g} s; until it"
                " does, it goes by the former ones"
            )
        time.sleep(_RELOAD_POLL)
