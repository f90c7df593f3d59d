"""A PgBouncer set up by hand, as its manual teaches: what a pool is compared with.

It runs the same binary as the same account, on the same machine, in front of the same
PostgreSQL, and serves one pool of the same shape with the same certificate and the same users.
"""

from __future__ import annotations

import configparser
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import find_pgbouncer
from bench.stage import Stage
from poolkeeper.engine.accounts import Account, find_account
from poolkeeper.settings import DEFAULT_ACCOUNT

POOL = "hand"

_INI = """\
[databases]
{pool} = host='{postgres}' port={postgres_port} dbname='defaultdb' pool_mode=transaction \
pool_size={size} max_db_connections={size}

[peers]
1 = host='{folder}'

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
listen_backlog = 1024
so_reuseport = 1
peer_id = 1
unix_socket_dir = {folder}
unix_socket_mode = 0700
pidfile = {folder}/pgbouncer.pid
logfile = {folder}/pgbouncer.log
admin_users = poolkeeper
auth_type = hba
auth_file = {folder}/userlist.txt
auth_hba_file = {folder}/hba.conf
client_tls_sslmode = require
client_tls_protocols = secure
client_tls_ca_file = {cluster}/ca.crt
client_tls_cert_file = {cluster}/server.crt
client_tls_key_file = {cluster}/server.key
server_tls_sslmode = disable
max_client_conn = 10000
max_prepared_statements = 200
query_wait_timeout = 120
server_login_retry = 1
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
log_stats = 0
"""

_HBA = f'hostssl "{POOL}" "doadmin" 0.0.0.0/0 scram-sha-256\n'

# The two cannot have these in common; everything else must be the same.
_OF_THE_PLACE = {
    *("listen_port", "unix_socket_dir", "pidfile", "logfile"),
    *("auth_file", "auth_hba_file"),
}


@dataclass(frozen=True)
class Handmade:
    """It runs: how to reach it, and its process."""

    uri: str
    pid: int


@contextmanager
def running_handmade(stage: Stage, pooled_uri: str, size: int) -> Iterator[Handmade]:
    """The counterpart of the pool at ``pooled_uri``. Raises RuntimeError."""
    account = find_account(DEFAULT_ACCOUNT)
    folder = stage.plane.state / "handmade"
    port = stage.plane.api_port + 1
    _write_files(stage, folder, port, size, account)
    process = subprocess.Popen(
        [find_pgbouncer().path, "-q", folder / "pgbouncer.ini"],
        cwd="/",
        # A daemon's own session: where the kernel schedules by session, this is its due share.
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=account.groups if account else None,
    )
    try:
        _await_port(process, port)
        pool_port = int(stage.cluster["connection"]["port"]) + 1
        name = pooled_uri.rpartition("/")[2].partition("?")[0]
        uri = pooled_uri.replace(f":{pool_port}/{name}?", f":{port}/{POOL}?")
        yield Handmade(uri, process.pid)
    finally:
        process.send_signal(signal.SIGQUIT)  # PgBouncer's immediate shutdown
        process.wait(timeout=10)


def list_differing_settings(stage: Stage) -> list[str]:
    """Settings in which Poolkeeper's PgBouncer differs from the hand-made, places aside."""
    ours = _read_settings(stage.paths.pooler / "pgbouncer-1.ini")
    theirs = _read_settings(stage.plane.state / "handmade" / "pgbouncer.ini")
    return sorted(
        f"{name}: {ours.get(name)} ↔ {theirs.get(name)}"
        for name in (ours.keys() | theirs.keys()) - _OF_THE_PLACE
        if ours.get(name) != theirs.get(name)
    )


def _write_files(stage: Stage, folder: Path, port: int, size: int, account: Account | None) -> None:
    folder.mkdir(mode=0o700)
    text = _INI.format(
        pool=POOL,
        postgres=stage.paths.run,
        postgres_port=stage.cluster["connection"]["port"],
        size=size,
        folder=folder,
        port=port,
        cluster=stage.paths.root,
    )
    (folder / "pgbouncer.ini").write_text(text)
    (folder / "hba.conf").write_text(_HBA)
    # The same verifiers: with plain passwords a login would cost more.
    shutil.copy(stage.paths.pooler / "userlist.txt", folder / "userlist.txt")
    for file in (folder, *folder.iterdir()):
        if account:
            os.chown(file, account.uid, account.gid)


def _read_settings(file: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read(file)
    return dict(parser["pgbouncer"])


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the hand-made PgBouncer does not start") from error
            time.sleep(0.05)
