"""Builds the object graph: the only module that names the concrete parts of every layer."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from poolkeeper.domain.errors import EngineError
from poolkeeper.domain.memory import Machine
from poolkeeper.domain.sessions import SessionLimits
from poolkeeper.engine import host as machine
from poolkeeper.engine.accounts import find_account
from poolkeeper.engine.certificates import Authority, ensure_authority
from poolkeeper.engine.layout import check_socket_paths, make_state_folders
from poolkeeper.engine.pgbouncer.binary import find_binary
from poolkeeper.engine.postgres.binaries import Installation, find_majors
from poolkeeper.engine.processes import Processes
from poolkeeper.metrics.history import History
from poolkeeper.metrics.sampler import Sampler
from poolkeeper.metrics.targets import Targets
from poolkeeper.reconcile.cluster import ClusterReconciler
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.loop import Loop
from poolkeeper.settings import NEVER, Settings
from poolkeeper.store import clusters
from poolkeeper.store.changes import Changes
from poolkeeper.store.database import Store
from poolkeeper.store.observations import Observations
from poolkeeper.store.sealing import load_sealer
from poolkeeper.usecases.context import Context

# In it, DELETE and POST of the same pool are one change: that is how Terraform edits a pool.
_LONGEST_GRACE = timedelta(seconds=10)


@dataclass(frozen=True)
class Parts:
    """Everything that runs in one control plane, not started yet."""

    settings: Settings
    store: Store
    context: Context
    host: Host
    loop: Loop
    sampler: Sampler
    history: History
    authority: Authority
    certificate_names: tuple[str, ...]


def now() -> datetime:
    """The one clock."""
    return datetime.now(UTC)


def prepare_state(settings: Settings) -> None:
    """Make the state directory. Raises EngineError."""
    check_socket_paths(settings.state_dir)
    account = find_account(settings.account)
    try:
        make_state_folders(settings.state_dir, account)
        for name in ("logs", "ca"):
            (settings.state_dir / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        raise EngineError(
            f"cannot keep the state in {settings.state_dir}:"
            f" {'a file is in its place' if is_file else error.strerror};"
            " choose another folder with --state-dir"
        ) from error


def build(settings: Settings) -> Parts:
    """All parts, from settings that were checked and a prepared state directory.

    Raises PoolkeeperError when a prerequisite is missing, such as a PgBouncer that is new
    enough.
    """
    processes = Processes(find_account(settings.account))
    find_binary(settings.pgbouncer, settings.state_dir)
    store = open_store(settings)
    changes, observations = Changes(), Observations()
    authority = ensure_authority(settings.state_dir / "ca", now=now())
    names = _certificate_names(settings)
    host = _build_host(settings, store, changes, observations, processes, authority, names)
    history = History(settings.state_dir / "samples.db")
    targets = Targets(store, changes)
    sampler = Sampler(targets, observations, history, settings.state_dir, now=now)
    context = _build_context(settings, store, changes, observations, history, authority)
    loop = Loop(lambda: _list_ids(store), lambda cluster_id: ClusterReconciler(host, cluster_id))
    changes.subscribe(loop.wake)
    return Parts(settings, store, context, host, loop, sampler, history, authority, names)


def open_store(settings: Settings) -> Store:
    """The store alone. Raises PoolkeeperError."""
    sealer = load_sealer(settings.state_dir / "key")
    return Store.open(settings.store_url, settings.state_dir, now=now, sealer=sealer)


def _build_host(
    settings: Settings,
    store: Store,
    changes: Changes,
    observations: Observations,
    processes: Processes,
    authority: Authority,
    names: tuple[str, ...],
) -> Host:
    return Host(
        store=store,
        changes=changes,
        observations=observations,
        processes=processes,
        authority=authority,
        state_dir=settings.state_dir,
        listen=settings.listen,
        certificate_names=names,
        find_pgbouncer=lambda: find_binary(settings.pgbouncer, settings.state_dir),
        find_installation=lambda major: _find_installation(settings, major),
        now=now,
        max_client_conn=settings.max_client_conn,
        query_wait_timeout=settings.query_wait_timeout,
        drain=timedelta(seconds=settings.drain_seconds),
        keep_data=timedelta(days=settings.deleted_data_days),
        restart_wait=settings.restart_wait_seconds,
        restart_cuts=settings.restart_cuts != NEVER,
    )


def _build_context(
    settings: Settings,
    store: Store,
    changes: Changes,
    observations: Observations,
    history: History,
    authority: Authority,
) -> Context:
    return Context(
        store=store,
        changes=changes,
        observations=observations,
        samples=history,
        public_host=settings.public_host,
        api_port=settings.api_port,
        first_port=settings.first_port,
        wait_seconds=settings.request_wait_seconds,
        grace=min(timedelta(seconds=settings.drain_seconds), _LONGEST_GRACE),
        ca_certificate=authority.certificate_pem,
        majors=lambda: [found.major for found in find_majors(settings.postgres_prefixes)],
        releases=lambda: {
            found.major: found.full_version for found in find_majors(settings.postgres_prefixes)
        },
        port_is_free=lambda port: machine.port_is_free(settings.listen, port),
        random_bytes=os.urandom,
        machine=lambda: Machine(machine.memory_bytes(), machine.cpu_count()),
        session_limits=SessionLimits(
            timedelta(hours=settings.panel_idle_hours), timedelta(days=settings.panel_session_days)
        ),
        keep_data=timedelta(days=settings.deleted_data_days),
        restart_wait=timedelta(seconds=settings.restart_wait_seconds),
        restart_cuts=settings.restart_cuts != NEVER,
        query_wait_timeout=settings.query_wait_timeout,
    )


def _find_installation(settings: Settings, major: str) -> Installation:
    for found in find_majors(settings.postgres_prefixes):
        if found.major == major:
            return found
    raise EngineError(
        f"PostgreSQL {major} is not installed on this host any more; install postgresql-{major}"
    )


def _list_ids(store: Store) -> list[UUID]:
    with store.read() as tx:
        return clusters.list_cluster_ids(tx)


def _certificate_names(settings: Settings) -> tuple[str, ...]:
    """What clients may call this host: the public name first, then how it is reached locally."""
    names = [settings.public_host, "localhost", socket.gethostname(), "127.0.0.1", "::1"]
    if not ipaddress.ip_address(settings.listen).is_unspecified:
        names.append(settings.listen)
    return tuple(dict.fromkeys(names))
