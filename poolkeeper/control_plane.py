"""The control plane as one process: started, found, stopped.

::

    <state>/lock        held by the running control plane; its pid stands in it
    <state>/api.json    where the API is, for the CLI on this machine
    <state>/token       the token of whoever owns the state directory
    <state>/starting    there while the first cluster is not complete yet
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from poolkeeper import http_server, wiring
from poolkeeper.api.app import build_app
from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.engine.files import write_if_changed
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.processes import observe_process, signal_process, wait_gone
from poolkeeper.first_start import FirstCluster, complete_first_start, ensure_local_token
from poolkeeper.logs import configure_logs
from poolkeeper.reconcile.teardown import stop_servers
from poolkeeper.settings import Settings
from poolkeeper.store import clusters

_log = structlog.get_logger("poolkeeper")


class AlreadyRunning(PoolkeeperError):
    """Another control plane holds the state."""


@dataclass(frozen=True)
class Summary:
    """What a person needs to know once it runs."""

    api: str
    token_file: Path
    ca_file: Path
    first_cluster: FirstCluster | None


def serve(settings: Settings, *, empty: bool, ready: Callable[[Summary], None]) -> None:
    """Run until SIGTERM or SIGINT; ``ready`` is called once everything answers.

    ``empty``: make no first cluster in an empty state. PostgreSQL and PgBouncer go on when
    this returns. Raises PoolkeeperError.
    """
    wiring.prepare_state(settings)
    with _Lock(settings.state_dir):
        configure_logs(settings.state_dir / "logs", settings.log_level)
        parts = wiring.build(settings)
        ensure_local_token(parts.context, settings.state_dir / "token")
        app = build_app(parts.context, started_at=wiring.now())
        server = http_server.prepare(parts, app)
        _log.info("control_plane_started", pid=os.getpid(), api=server.url)
        parts.loop.start()
        failed: list[PoolkeeperError] = []
        opening = threading.Thread(
            target=_open_for_business,
            args=(parts, server, failed),
            kwargs={"empty": empty, "ready": ready},
            name="first-start",
            daemon=True,
        )
        opening.start()
        try:
            server.run()
        finally:
            (settings.state_dir / "api.json").unlink(missing_ok=True)
            parts.loop.stop()
            parts.store.close()
            _log.info("control_plane_stopped", pid=os.getpid())
        if failed:
            raise failed[0]


def find_holder(settings: Settings) -> int | None:
    """The pid of the control plane that holds the state, if any."""
    try:
        lock = os.open(settings.state_dir / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(lock, 32, 0).decode().strip() or 0) or None
    finally:
        os.close(lock)
    return None


def stop(settings: Settings, timeout: float) -> int | None:
    """Stop the control plane, if it runs, and return its pid. Raises PoolkeeperError."""
    pid = find_holder(settings)
    facts = observe_process(pid) if pid else None
    if facts is None:
        return None
    signal_process(facts, signal.SIGTERM)
    if not wait_gone(facts, timeout):
        raise PoolkeeperError(
            f"the control plane (pid {facts.pid}) is still running after {timeout:g} s;"
            " see `poolkeeper logs`"
        )
    return facts.pid


def stop_data_plane(settings: Settings) -> list[str]:
    """Stop all PostgreSQL and PgBouncer servers; one line for each cluster that had any.

    Only while no control plane runs, since it would start them again. Raises
    PoolkeeperError.
    """
    stopped = []
    with _Lock(settings.state_dir):
        parts = wiring.build(settings)
        with parts.store.read() as tx:
            found = [clusters.read_desired(tx, each) for each in clusters.list_cluster_ids(tx)]
        for desired in found:
            if desired is None:
                continue
            cluster = desired.cluster
            paths = ClusterPaths.of(settings.state_dir, cluster.id, cluster.ports)
            servers = stop_servers(paths)
            if servers:
                stopped.append(f"{cluster.name}: stopped {' and '.join(servers)}")
        parts.store.close()
    return stopped


def _open_for_business(
    parts: wiring.Parts,
    server: http_server.HttpServer,
    failed: list[PoolkeeperError],
    *,
    empty: bool,
    ready: Callable[[Summary], None],
) -> None:
    state = parts.settings.state_dir
    token_file, ca_file = state / "token", state / "ca" / "ca.crt"
    try:
        server.wait_started()
        text = json.dumps(
            {
                "api": server.url,
                "token_file": str(token_file),
                "ca_file": str(ca_file),
                "pid": os.getpid(),
            }
        )
        write_if_changed(state / "api.json", text + "\n", owner=None)
        first = complete_first_start(parts.context, state / "starting", empty=empty)
        ready(Summary(server.url, token_file, ca_file, first))
    except PoolkeeperError as error:
        failed.append(error)
        server.stop()
    except Exception as error:
        _log.exception("start_broke")
        failed.append(PoolkeeperError(f"the start failed: {error!r}; see `poolkeeper logs`"))
        server.stop()


class _Lock:
    """Makes sure that one control plane at a time works on a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "lock"
        self._descriptor = -1

    def __enter__(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        deadline = time.monotonic() + 1.0
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # find_holder takes it for an instant, to look.
                if time.monotonic() > deadline:
                    self._refuse()
            time.sleep(0.02)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _refuse(self) -> None:
        pid = os.pread(self._descriptor, 32, 0).decode().strip()
        os.close(self._descriptor)
        raise AlreadyRunning(
            f"process {pid or 'unknown'} already runs Poolkeeper on {self._path.parent};"
            " stop it with `poolkeeper down`, or choose another --state-dir"
        )
