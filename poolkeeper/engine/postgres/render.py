"""PostgreSQL's configuration files as text. Pure: nothing is read, nothing is written.

Each setting is explained on the page of that name in PostgreSQL's manual, "Server
Configuration"; comments here say why it has the value it has.
"""

from __future__ import annotations

from collections.abc import Iterable

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.names import SUPERUSER
from poolkeeper.domain.sizes import RESERVED_CONNECTIONS
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres.memory import share_memory

LOG_FILE_PREFIX = "postgresql-"

Setting = tuple[str, str]

_HEADER = """\
# Written by Poolkeeper for cluster {name}, and written anew whenever that changes: an edit
# made here is lost. Use the API, or ALTER SYSTEM, whose settings win over these.
"""

_MAP = "pooler"

_HBA = f"""\
# Written by Poolkeeper; an edit made here is lost.
# Who matches no line is refused: whoever comes over the network without TLS is one of them.

# TYPE   DATABASE     USER        ADDRESS      METHOD
local    all          {SUPERUSER}               scram-sha-256
local    all          all                      peer map={_MAP}
host     all          {SUPERUSER}  0.0.0.0/0    reject
host     all          {SUPERUSER}  ::/0         reject
hostssl  all          all         0.0.0.0/0    scram-sha-256
hostssl  all          all         ::/0         scram-sha-256
host     replication  {SUPERUSER}  0.0.0.0/0    reject
host     replication  {SUPERUSER}  ::/0         reject
hostssl  replication  all         0.0.0.0/0    scram-sha-256
hostssl  replication  all         ::/0         scram-sha-256
"""

_IDENT = """\
# Written by Poolkeeper; an edit made here is lost.
# PgBouncer, which has checked its clients' passwords, logs in for these users without one.

# MAPNAME  SYSTEM-USERNAME  PG-USERNAME
"""


def render_conf(
    paths: ClusterPaths,
    cluster: Cluster,
    listen: str,
    *,
    host_memory: int,
    cpus: int,
    major: int,
) -> str:
    """The whole postgresql.conf.

    ``listen``: an address or a name, several with commas, ``*`` for all. ``host_memory`` in
    bytes. Raises ValueError if a value cannot be written down, such as a path with a newline.
    """
    sections = (
        ("Files", _files(paths)),
        ("Connections", _connections(paths, cluster, listen, major)),
        ("TLS, which pg_hba.conf asks of everyone who comes over the network", _tls(paths)),
        ("Memory", _memory(cluster, host_memory)),
        ("Processors and disks", _processors(cluster, cpus)),
        ("Write-ahead log", _write_ahead_log(cluster)),
        ("Statistics", _statistics()),
        ("Log; statements stay out of it, because they may hold passwords", _log(paths)),
        ("Language and time", _language()),
    )
    blocks = [_HEADER.format(name=cluster.name)]
    blocks += [f"# {title}\n" + _write_settings(settings) for title, settings in sections]
    return "\n".join(blocks)


def render_hba() -> str:
    """The whole pg_hba.conf: TLS and SCRAM over the network, and no superuser there.

    Over the Unix socket the superuser comes with its password, the account of the servers as
    one of the users in pg_ident.conf, and nobody else.
    """
    return _HBA


def render_ident(account: str, users: Iterable[str]) -> str:
    """The whole pg_ident.conf: the system account may be each of these users."""
    lines = [
        f"{_MAP}     {_quote_token(account)}  {_quote_token(user)}\n" for user in sorted(users)
    ]
    return _IDENT + "".join(lines)


def _files(paths: ClusterPaths) -> list[Setting]:
    return [
        ("data_directory", _quote(paths.data)),
        ("hba_file", _quote(paths.postgres_hba)),
        ("ident_file", _quote(paths.postgres_ident)),
    ]


def _connections(paths: ClusterPaths, cluster: Cluster, listen: str, major: int) -> list[Setting]:
    settings = [
        ("cluster_name", _quote(cluster.name)),
        ("listen_addresses", _quote(listen)),
        ("port", str(cluster.ports.direct)),
        ("unix_socket_directories", _quote(_quote_list_item(str(paths.run)))),
        # PgBouncer runs as the same account; nobody else comes this way.
        ("unix_socket_permissions", "0700"),
        ("max_connections", str(cluster.size.max_connections)),
        ("superuser_reserved_connections", str(RESERVED_CONNECTIONS)),
        ("password_encryption", "scram-sha-256"),
        # A peer that vanished is noticed after two minutes instead of two hours.
        ("tcp_keepalives_idle", "60s"),
        ("tcp_keepalives_interval", "10s"),
        ("tcp_keepalives_count", "6"),
    ]
    if major >= 14:
        # A query whose client has gone, PgBouncer included, is stopped.
        settings.append(("client_connection_check_interval", "1s"))
    return settings


def _tls(paths: ClusterPaths) -> list[Setting]:
    # No ssl_ca_file: with it, clients that happen to have a certificate of their own, for
    # another server, would be refused.
    return [
        ("ssl", "on"),
        ("ssl_cert_file", _quote(paths.certificate)),
        ("ssl_key_file", _quote(paths.key)),
        ("ssl_min_protocol_version", _quote("TLSv1.2")),
    ]


def _memory(cluster: Cluster, host_memory: int) -> list[Setting]:
    shares = share_memory(cluster.size, host_memory)
    return [
        ("shared_buffers", f"{shares.shared_buffers}MB"),
        ("effective_cache_size", f"{shares.effective_cache_size}MB"),
        ("maintenance_work_mem", f"{shares.maintenance_work_mem}MB"),
        ("work_mem", f"{shares.work_mem_kib}kB"),
        ("huge_pages", "try"),
    ]


def _processors(cluster: Cluster, cpus: int) -> list[Setting]:
    workers = max(min(cluster.size.vcpus, cpus), 1)
    per_query = min(workers // 2, 4)
    return [
        # Eight, PostgreSQL's default, for replication and extensions.
        ("max_worker_processes", str(8 + workers)),
        ("max_parallel_workers", str(workers)),
        ("max_parallel_workers_per_gather", str(per_query)),
        ("max_parallel_maintenance_workers", str(per_query)),
        # Solid-state disks: reading here and there costs hardly more than in a row.
        ("random_page_cost", "1.1"),
        ("effective_io_concurrency", "200"),
    ]


def _write_ahead_log(cluster: Cluster) -> list[Setting]:
    tenth = cluster.storage_size_mib // 10
    max_wal_size = max(min(tenth, 16 * 1024), 256)
    return [
        # As DigitalOcean has it: doadmin may publish, and turning it on later would take a
        # restart. The price is a little more to write for updates and deletes.
        ("wal_level", "logical"),
        ("wal_compression", "on"),
        ("max_wal_size", f"{max_wal_size}MB"),
        ("min_wal_size", f"{max(max_wal_size // 8, 32)}MB"),
        ("checkpoint_completion_target", "0.9"),
        # So that a replication slot which nobody reads cannot fill the disk.
        ("max_slot_wal_keep_size", f"{max(2 * tenth, 512)}MB"),
    ]


def _statistics() -> list[Setting]:
    return [
        ("shared_preload_libraries", _quote("pg_stat_statements")),
        # CREATE ROLE … PASSWORD is a utility statement: its text would be kept for all to see.
        ("pg_stat_statements.track_utility", "off"),
        ("track_io_timing", "on"),
    ]


def _log(paths: ClusterPaths) -> list[Setting]:
    return [
        ("log_destination", "stderr"),
        ("logging_collector", "on"),
        ("log_directory", _quote(paths.log)),
        ("log_filename", _quote(f"{LOG_FILE_PREFIX}%Y%m%d-%H%M%S.log")),
        ("log_file_mode", "0600"),
        ("log_rotation_age", "1d"),
        ("log_rotation_size", "10MB"),
        ("log_line_prefix", _quote("%m [%p] %q%u@%d %h %a ")),
        ("log_timezone", _quote("UTC")),
        ("log_lock_waits", "on"),
        ("log_min_error_statement", "panic"),
    ]


def _language() -> list[Setting]:
    # Messages in English, whatever the host speaks: we read some of them.
    return [
        ("lc_messages", _quote("C")),
        ("timezone", _quote("UTC")),
        ("default_text_search_config", _quote("pg_catalog.english")),
    ]


def _write_settings(settings: Iterable[Setting]) -> str:
    return "".join(f"{name} = {value}\n" for name, value in settings)


def _quote(value: object) -> str:
    """A string as postgresql.conf takes it ("Parameter Interaction via the Configuration File")."""
    text = str(value)
    if not text.isprintable():
        raise ValueError(f"{text!r} cannot stand in postgresql.conf")
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _quote_list_item(text: str) -> str:
    """An element of a setting that is a list: with a comma in it, it needs quotes of its own."""
    if "," not in text and '"' not in text:
        return text
    return _quote_token(text)


def _quote_token(text: str) -> str:
    """A word of pg_hba.conf or pg_ident.conf; in quotes, ``all`` or ``+name`` means itself."""
    if not text.isprintable():
        raise ValueError(f"{text!r} cannot stand in pg_ident.conf")
    escaped = text.replace('"', '""')
    return f'"{escaped}"'
