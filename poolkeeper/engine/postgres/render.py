"""PostgreSQL's configuration files as text. Pure: nothing is read, nothing is written.

Each setting is explained on the page of that name in PostgreSQL's manual, "Server
Configuration"; comments here say why it has the value it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import cast

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.config import Values, list_extension_values, list_postgres_values
from poolkeeper.domain.config_kinds import Option, Value
from poolkeeper.domain.config_options import EXTENSIONS, OPTIONS
from poolkeeper.domain.config_postgres import POSTGRES
from poolkeeper.domain.memory import Machine, share_memory
from poolkeeper.domain.sizes import RESERVED_CONNECTIONS
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.postgres.hba import MAP

LOG_FILE_PREFIX = "postgresql-"

Setting = tuple[str, str]

_HEADER = """\
# Written by Poolkeeper for cluster {name}, and written anew whenever that changes: an edit
# made here is lost. Use the API, or ALTER SYSTEM, whose settings win over these.
"""

# Settings of the API that we always write, because PostgreSQL's own default is another.
_ALWAYS_WRITTEN = (
    *("work_mem", "max_worker_processes", "max_parallel_workers"),
    *("max_parallel_workers_per_gather", "max_wal_senders", "max_slot_wal_keep_size"),
    *("track_io_timing", "log_line_prefix", "timezone"),
)

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
    floors: Mapping[str, int] | None = None,
) -> str:
    """The whole postgresql.conf: our settings, and over them what was set through the API.

    ``listen``: an address or a name, several with commas, ``*`` for all. ``host_memory`` in
    bytes. ``floors``: the least that some settings of the API may be for the server to start.
    Raises ValueError if a value cannot be written down, such as a path with a newline.
    """
    values = list_postgres_values(replace(cluster, version=str(major)), Machine(host_memory, cpus))
    raised = {
        name: floor for name, floor in (floors or {}).items() if floor > cast(int, values[name])
    }
    values |= raised
    sections = (
        ("Files", _files(paths)),
        ("Connections", _connections(paths, cluster, listen, major)),
        ("TLS, which pg_hba.conf asks of everyone who comes over the network", _tls(paths)),
        ("Memory", _memory(cluster, host_memory, values)),
        ("Processors and disks", _processors(cluster, cpus, values)),
        ("Write-ahead log", _write_ahead_log(cluster, values)),
        ("Statistics", _statistics(values)),
        ("Log; statements stay out of it, because they may hold passwords", _log(paths, values)),
        ("Language and time", _language(values)),
        ("Settings of the API", _chosen(cluster, values, raised)),
        ("Settings of extensions, which may come", _extensions(cluster)),
    )
    blocks = [_HEADER.format(name=cluster.name)]
    blocks += [
        f"# {title}\n" + _write_settings(settings) for title, settings in sections if settings
    ]
    return "\n".join(blocks)


def render_ident(account: str, users: Iterable[str]) -> str:
    """The whole pg_ident.conf: the system account may be each of these users."""
    lines = [f"{MAP}     {_quote_token(account)}  {_quote_token(user)}\n" for user in sorted(users)]
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


def _memory(cluster: Cluster, host_memory: int, values: Values) -> list[Setting]:
    percentage = cast(float, values["shared_buffers_percentage"])
    shares = share_memory(cluster.size, host_memory, percentage)
    return [
        ("shared_buffers", f"{shares.shared_buffers}MB"),
        ("effective_cache_size", f"{shares.effective_cache_size}MB"),
        ("maintenance_work_mem", f"{shares.maintenance_work_mem}MB"),
        _option("work_mem", values),
        ("huge_pages", "try"),
    ]


def _processors(cluster: Cluster, cpus: int, values: Values) -> list[Setting]:
    workers = max(min(cluster.size.vcpus, cpus), 1)
    return [
        _option("max_worker_processes", values),
        _option("max_parallel_workers", values),
        _option("max_parallel_workers_per_gather", values),
        ("max_parallel_maintenance_workers", str(min(workers // 2, 4))),
        # Solid-state disks: reading here and there costs hardly more than in a row.
        ("random_page_cost", "1.1"),
        ("effective_io_concurrency", "200"),
    ]


def _write_ahead_log(cluster: Cluster, values: Values) -> list[Setting]:
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
        _option("max_wal_senders", values),
        _option("max_slot_wal_keep_size", values),
    ]


def _statistics(values: Values) -> list[Setting]:
    return [
        ("shared_preload_libraries", _quote("pg_stat_statements")),
        # CREATE ROLE … PASSWORD is a utility statement: its text would be kept for all to see.
        ("pg_stat_statements.track_utility", "off"),
        _option("track_io_timing", values),
    ]


def _log(paths: ClusterPaths, values: Values) -> list[Setting]:
    return [
        ("log_destination", "stderr"),
        ("logging_collector", "on"),
        ("log_directory", _quote(paths.log)),
        ("log_filename", _quote(f"{LOG_FILE_PREFIX}%Y%m%d-%H%M%S.log")),
        ("log_file_mode", "0600"),
        ("log_rotation_age", "1d"),
        ("log_rotation_size", "10MB"),
        _option("log_line_prefix", values),
        ("log_timezone", _quote("UTC")),
        ("log_lock_waits", "on"),
        ("log_min_error_statement", "panic"),
    ]


def _language(values: Values) -> list[Setting]:
    # Messages in English, whatever the host speaks: we read some of them.
    return [
        ("lc_messages", _quote("C")),
        _option("timezone", values),
        ("default_text_search_config", _quote("pg_catalog.english")),
    ]


def _chosen(cluster: Cluster, values: Values, raised: Mapping[str, int]) -> list[Setting]:
    """What was set and does not stand elsewhere; without it PostgreSQL's defaults hold.

    What takes a restart stands there in any case: of a line that is gone PostgreSQL says for
    ever that it waits for one.
    """
    elsewhere = (*_ALWAYS_WRITTEN, "shared_buffers_percentage")
    wanted = {
        *cluster.config.keys(),
        *raised,
        *(option.name for option in POSTGRES if option.restart),
    }
    return [
        _option(option.name, values)
        for option in POSTGRES
        if option.name in wanted and option.name in values and option.name not in elsewhere
    ]


def _extensions(cluster: Cluster) -> list[Setting]:
    """PostgreSQL keeps what has a dot in its name for whoever knows it; else it must know it."""
    values = list_extension_values(cluster.config)
    return [
        _option(option.name, values)
        for option in EXTENSIONS
        if option.name in values and "." in option.name
    ]


def _option(name: str, values: Values) -> Setting:
    """A setting of the API as postgresql.conf takes it."""
    option = OPTIONS[name]
    return option.setting or name, _write_value(option, values[name])


def _write_value(option: Option, value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        # With a unit, -1 would be an amount.
        return f"{value}{option.unit}" if value >= 0 else str(value)
    # The prefixes of the API have nothing to set them off from the message.
    return _quote(f"{value} " if option.name == "log_line_prefix" else value)


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
