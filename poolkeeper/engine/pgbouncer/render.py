"""The text of PgBouncer's files, from what is wanted. Pure, ordered, compared as a whole.

Source of the rules: PgBouncer's config.md, and what was found by running it
(docs/decisions). Two of them shape everything here:

- An entry that is missing from ``[databases]`` is an order to cut its clients, so only a
  whole ``Desired`` is ever rendered.
- No entry has ``user=``: a forced user cannot be taken back without a restart. Who may log
  in to a pool is said in the HBA file (hba.py), and ``max_db_connections`` caps all its users.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from poolkeeper.domain.config import Config, list_pgbouncer_values
from poolkeeper.domain.entries import Entry
from poolkeeper.domain.names import SUPERUSER
from poolkeeper.domain.scram import SALT_BYTES, make_verifier
from poolkeeper.domain.users import User
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.log import log_file

CONSOLE_USER = SUPERUSER

# Keys of zeros: no password is known, nor can one be found, that SHA-256 turns into them.
_NOBODYS = f"SCRAM-SHA-256$4096:{'A' * 22}==${'A' * 43}=:{'A' * 43}="

_HEADER = "Written by Poolkeeper and overwritten at every change; use its API instead."


@dataclass(frozen=True)
class PoolerSettings:
    """What of the host and of the settings goes into the files. ``config``: what was set for
    the cluster through the API. ``certificate``: a digest of it; PgBouncer reads the
    certificate itself again at RELOAD only, and a changed text is what brings that about."""

    listen: str
    listen_port: int
    postgres_port: int
    max_client_conn: int
    query_wait_timeout: int
    config: Config = field(default_factory=dict)
    certificate: str = ""


def render_main(
    paths: ClusterPaths, settings: PoolerSettings, entries: Iterable[Entry], index: int = 1
) -> str:
    """``pgbouncer.ini`` of one process of the group."""
    lines = [f"; {_HEADER}", "", "[databases]"]
    if settings.certificate:
        lines.insert(1, f"; Certificate: {settings.certificate}")
    lines += [_render_entry(paths, settings, entry) for entry in _sorted(entries)]
    lines += ["", "[peers]", f"{index} = host={_quote(str(paths.pooler_run(index)))}"]
    lines += ["", "[pgbouncer]"]
    values = _process_values(paths, settings, index) | _DEFAULTS
    lines += [f"{key} = {values[key]}" for key in sorted(values)]
    return "\n".join(lines) + "\n"


def render_users(users: Iterable[User], console_password: str) -> str:
    """``userlist.txt``: SCRAM secrets only; no password ever stands in a file.

    Deleted users have nobody's: of one that is missing, PgBouncer goes on to take the secret
    that it had.
    """
    secrets = {user.name: _NOBODYS if user.deleted else user.verifier for user in users}
    secrets[CONSOLE_USER] = _console_verifier(console_password)
    return "".join(f"{_double(name)} {_double(secrets[name])}\n" for name in sorted(secrets))


def _render_entry(paths: ClusterPaths, settings: PoolerSettings, entry: Entry) -> str:
    # Of both, ``pool_size`` counts for each user, and ``max_db_connections`` alone for one who
    # never had a backend there; of the latter, 0 would be no limit.
    return (
        f"{entry.name} = host={_quote(str(paths.run))} port={settings.postgres_port}"
        f" dbname={_quote(entry.db)} pool_mode={entry.mode.value}"
        f" pool_size={entry.size} max_db_connections={max(entry.size, 1)}"
    )


_DEFAULTS: dict[str, object] = {
    "admin_users": CONSOLE_USER,
    "auth_type": "hba",
    "client_tls_protocols": "secure",
    "client_tls_sslmode": "require",
    "listen_backlog": 1024,
    "log_connections": 0,
    "log_disconnections": 0,
    "log_stats": 0,
    "max_prepared_statements": 200,
    # The default of 15 s turns half a second of PostgreSQL's restart into an outage of 15.
    "server_login_retry": 1,
    "server_tls_sslmode": "disable",
    "so_reuseport": 1,
    "unix_socket_mode": "0700",
}


def _process_values(paths: ClusterPaths, settings: PoolerSettings, index: int) -> dict[str, object]:
    return {
        "auth_file": paths.pooler / "userlist.txt",
        "auth_hba_file": paths.pooler / "pgbouncer_hba.conf",
        # Unset, the system's bundle is parsed at every RELOAD, and all clients wait for it.
        "client_tls_ca_file": paths.ca,
        "client_tls_cert_file": paths.certificate,
        "client_tls_key_file": paths.key,
        "listen_addr": settings.listen,
        "listen_port": settings.listen_port,
        "logfile": log_file(paths, index),
        "max_client_conn": settings.max_client_conn,
        "peer_id": index,
        "pidfile": paths.pooler_run(index) / "pgbouncer.pid",
        "query_wait_timeout": settings.query_wait_timeout,
        "unix_socket_dir": paths.pooler_run(index),
        **_tuning(settings.config),
    }


def _tuning(config: Config) -> dict[str, object]:
    """What may be set through the API. ``min_pool_size`` is bounded by each pool's size, and
    by its ``max_db_connections``: PgBouncer sees to that itself."""
    values = list_pgbouncer_values(config)
    ignored = cast(list[str], values["pgbouncer.ignore_startup_parameters"])
    return {
        "ignore_startup_parameters": ",".join(ignored),
        "min_pool_size": values["pgbouncer.min_pool_size"],
        "server_idle_timeout": values["pgbouncer.server_idle_timeout"],
        "server_lifetime": values["pgbouncer.server_lifetime"],
        "server_reset_query_always": int(bool(values["pgbouncer.server_reset_query_always"])),
    }


def _sorted(entries: Iterable[Entry]) -> Sequence[Entry]:
    return sorted(entries, key=lambda entry: entry.name)


def _quote(text: str) -> str:
    """A value of a connect string."""
    return "'" + text.replace("'", "''") + "'"


def _double(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@functools.lru_cache(maxsize=4096)
def _console_verifier(password: str) -> str:
    # The salt must not change from one rendering to the next. Anyone may see a salt; this
    # one gives nothing away, since the password it is made from is 143 bits of chance.
    salt = hmac.digest(password.encode(), b"console salt", hashlib.sha256)[:SALT_BYTES]
    return make_verifier(password, salt)
