"""The control plane as one process: started, and what it leaves running stopped.

::

    <state>/lock        held by the running control plane; its pid stands in it
    <state>/api.json    where the API is, for the CLI on this machine
    <state>/token       the token of whoever owns the state directory
    <state>/starting    there while the first cluster is not complete yet
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from poolkeeper.api.app import build_app
from poolkeeper.api.rates import RateLimits
from poolkeeper.control_plane import http_server, wiring
from poolkeeper.control_plane.first_start import (
    FirstCluster,
    await_first_passes,
    complete_first_start,
    ensure_local_token,
)
from poolkeeper.control_plane.front_door import FrontDoor
from poolkeeper.control_plane.logs import configure_logs
from poolkeeper.control_plane.state_lock import StateLock
from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.errors import EngineError, PoolkeeperError
from poolkeeper.engine.files import write_if_changed
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.panel.app import build_panel
from poolkeeper.reconcile.teardown import stop_servers
from poolkeeper.settings import Settings
from poolkeeper.store import clusters
from poolkeeper.usecases.sessions import compose_path, create_link
from poolkeeper.usecases.tokens import authenticate

_log = structlog.get_logger("poolkeeper")


@dataclass(frozen=True)
class Summary:
    """What a person needs to know once it runs."""

    api: str
    token_file: Path
    ca_file: Path
    first_cluster: FirstCluster | None
    panel: str


def serve(settings: Settings, *, empty: bool, ready: Callable[[Summary], None]) -> None:
    """Run until SIGTERM or SIGINT; ``ready`` is called once everything answers.

    ``empty``: make no first cluster in an empty state. PostgreSQL and PgBouncer go on when
    this returns. Raises PoolkeeperError.
    """
    wiring.prepare_state(settings)
    with StateLock(settings.state_dir):
        configure_logs(settings.state_dir / "logs", settings.log_level)
        parts = wiring.build(settings)
        ensure_local_token(parts.context, settings.state_dir / "token")
        rates = RateLimits(settings.rate_limit_hour, settings.rate_limit_minute)
        api = build_app(parts.context, started_at=wiring.now(), rates=rates)
        panel = build_panel(parts.context, changes=api.state.changes)
        server = http_server.prepare(parts, FrontDoor(api, panel))
        # Open pages listen for ever; the end of the server is not to wait for them.
        panel.state.live.is_stopping = lambda: server.is_stopping
        _log.info("control_plane_started", pid=os.getpid(), api=server.url)
        parts.loop.start()
        parts.history.start()
        parts.sampler.start()
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
            # A folder that cannot be written any more: the next start writes the file anew.
            with suppress(OSError):
                (settings.state_dir / "api.json").unlink(missing_ok=True)
            parts.sampler.stop()
            parts.history.stop()
            parts.loop.stop()
            parts.store.close()
            _log.info("control_plane_stopped", pid=os.getpid())
        if failed:
            raise failed[0]


def stop_data_plane(settings: Settings) -> list[str]:
    """Stop all PostgreSQL and PgBouncer servers; one line for each cluster that had any.

    Only while no control plane runs, since it would start them again. Raises
    PoolkeeperError, also once all are stopped but those that it names.
    """
    stopped: list[str] = []
    if not (settings.state_dir / "key").exists():
        return stopped
    failed: list[str] = []
    with StateLock(settings.state_dir):
        for cluster in _list_clusters(settings):
            paths = ClusterPaths.of(settings.state_dir, cluster.id, cluster.ports)
            try:
                servers = stop_servers(paths)
            except (EngineError, OSError) as error:
                failed.append(f"{cluster.name}: {error}")
                continue
            if servers:
                stopped.append(f"{cluster.name}: stopped {' and '.join(servers)}")
    if failed:
        raise EngineError(f"not all servers are stopped: {'; '.join(failed)}; try again")
    return stopped


def _list_clusters(settings: Settings) -> list[Cluster]:
    """All clusters that may have servers, deleted ones included, by name."""
    with closing(wiring.open_store(settings)) as store, store.read() as tx:
        found = [clusters.read_desired(tx, each) for each in clusters.list_cluster_ids(tx)]
    wanted = [desired.cluster for desired in found if desired is not None]
    return sorted(wanted, key=lambda cluster: cluster.name)


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
        _announce(state / "api.json", server.local_url, token_file, ca_file)
        first = complete_first_start(parts.context, state / "starting", empty=empty)
        await_first_passes(parts.context)
        panel = server.url + _make_sign_in_link(parts, token_file)
        ready(Summary(server.url, token_file, ca_file, first, panel))
    except PoolkeeperError as error:
        failed.append(error)
        server.stop()
    except OSError as error:
        failed.append(PoolkeeperError(f"cannot work in {state}: {error.strerror or error}"))
        server.stop()
    except Exception as error:
        _log.exception("start_broke")
        failed.append(PoolkeeperError(f"the start failed: {error!r}; see `poolkeeper logs`"))
        server.stop()


def _make_sign_in_link(parts: wiring.Parts, token_file: Path) -> str:
    token = authenticate(parts.context, token_file.read_text().strip())
    _, value = create_link(parts.context, token)
    return compose_path(value)


def _announce(path: Path, url: str, token_file: Path, ca_file: Path) -> None:
    """Tell the CLI of this machine how to reach us."""
    places = {"api": url, "token_file": str(token_file), "ca_file": str(ca_file)}
    write_if_changed(path, json.dumps({**places, "pid": os.getpid()}) + "\n", owner=None)
