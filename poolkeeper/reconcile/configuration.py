"""A cluster's postgresql.conf: never one that the server would not start with."""

from __future__ import annotations

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import ProcessFailed
from poolkeeper.engine import files
from poolkeeper.engine import host as machine
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres import configuration, server
from poolkeeper.engine.postgres.render import render_conf
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.postgres_conf import PostgresConf

SUBJECT = "config"
"""What failures of the settings that were set through the API are filed under."""


def install_conf(host: Host, desired: Desired, paths: ClusterPaths) -> bool:
    """Write the file, if it differs and PostgreSQL would take it; True if it was written.

    One that it would refuse is not written: the last good one stays, and ``explain_refusal``
    says why. Raises ProcessFailed where there is none, EngineError, OSError.
    """
    text = _choose(host, desired, paths)
    before = files.read_file(paths.postgres_conf)
    fault = None if before == text.encode() else _find_fault(host, desired, paths, text)
    if fault is None:
        return files.write_if_changed(paths.postgres_conf, text, owner=host.processes.account)
    if before is None:
        raise ProcessFailed(f"PostgreSQL refuses its configuration: {fault}")
    return False


def explain_refusal(host: Host, desired: Desired, paths: ClusterPaths) -> dict[str, str]:
    """Why what is wanted does not stand in the file, by subject; empty if it does.

    Raises EngineError, OSError.
    """
    text = _choose(host, desired, paths)
    if files.read_file(paths.postgres_conf) == text.encode():
        return {}
    fault = _find_fault(host, desired, paths, text)
    return {} if fault is None else {SUBJECT: fault}


def explain_former(host: Host, desired: Desired, paths: ClusterPaths) -> str:
    """Why PostgreSQL runs with a former configuration, because it does not start with the one
    that is wanted; "" if it does not run with one. Raises EngineError, OSError."""
    text = _render(host, desired, paths)
    conf = PostgresConf(paths, host.processes.account)
    return conf.explain(text, desired.cluster.restart_generation)


def _choose(host: Host, desired: Desired, paths: ClusterPaths) -> str:
    text = _render(host, desired, paths)
    conf = PostgresConf(paths, host.processes.account)
    return conf.choose(text, desired.cluster.restart_generation)


def _render(host: Host, desired: Desired, paths: ClusterPaths) -> str:
    installation = host.find_installation(desired.cluster.version)
    floors = None
    if server.is_initialised(paths):
        floors = configuration.find_floors(
            paths,
            installation,
            host.processes,
            is_running=server.find_postmaster(paths) is not None,
        )
    return render_conf(
        paths,
        desired.cluster,
        host.listen,
        host_memory=machine.memory_bytes(),
        cpus=machine.cpu_count(),
        major=int(installation.major),
        floors=floors,
    )


def _find_fault(host: Host, desired: Desired, paths: ClusterPaths, text: str) -> str | None:
    # Without any, all values are our own.
    if not desired.cluster.config:
        return None
    installation = host.find_installation(desired.cluster.version)
    return configuration.find_fault(paths, installation, host.processes, text)
