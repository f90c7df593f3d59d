"""Every setting: its name, type, default, places and meaning. Nothing else reads os.environ.

Values come, each outdoing the one before, from the default, ``poolkeeper.toml``, the
environment and the command line. The file is the one that ``--config`` or
``POOLKEEPER_CONFIG`` names, else ``<state_dir>/poolkeeper.toml``, else
``/etc/poolkeeper/poolkeeper.toml``; its keys are the names below.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.settings import types
from poolkeeper.settings.sources import Reading, check_host, check_ports
from poolkeeper.settings.types import FILE_NAME, Process, Row

DEFAULT_ACCOUNT = "poolkeeper"

AFTER_THE_WAIT, NEVER = "after-the-wait", "never"


class SettingsError(PoolkeeperError):
    """Settings that cannot be; one error names all that is wrong with them."""

    def __init__(self, problems: list[str]) -> None:
        head = "wrong setting: " if len(problems) == 1 else f"{len(problems)} wrong settings:\n  - "
        super().__init__(head + "\n  - ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """How this Poolkeeper runs; the rows of `ROWS` say what each field means."""

    state_dir: Path
    listen: str
    api_port: int
    public_host: str
    first_port: int
    account: str | None
    store_url: str | None = field(repr=False)
    pgbouncer: Path | None
    postgres_prefixes: tuple[Path, ...]
    log_level: str
    query_wait_timeout: int
    max_client_conn: int
    drain_seconds: int
    deleted_data_days: int
    request_wait_seconds: int
    restart_wait_seconds: int
    restart_cuts: str
    rate_limit_hour: int
    rate_limit_minute: int
    panel_idle_hours: int
    panel_session_days: int


@dataclass(frozen=True)
class Loaded:
    """Settings, and where each came from: ``default``, a file, a variable or a flag."""

    settings: Settings
    origins: Mapping[str, str]

    def list_rows(self) -> list[tuple[str, object, str]]:
        """Name, value fit for showing (passwords masked) and origin of every setting."""
        return [
            (row.name, row.format(getattr(self.settings, row.name)), self.origins[row.name])
            for row in ROWS
        ]


def read_environment() -> Mapping[str, str]:
    """The environment of this process: the one place that reads it."""
    return dict(os.environ)


def _fixed(value: object) -> Callable[[Process, Mapping[str, Any]], object]:
    return lambda _process, _values: value


def _default_state_dir(process: Process, _values: Mapping[str, Any]) -> Path:
    if process.euid == 0:
        return Path("/var/lib/poolkeeper")
    return process.home / ".local/share/poolkeeper"


def _default_account(process: Process, _values: Mapping[str, Any]) -> str | None:
    return DEFAULT_ACCOUNT if process.euid == 0 else None


def _default_public_host(_process: Process, values: Mapping[str, Any]) -> str:
    import ipaddress

    listen = values.get("listen", "127.0.0.1")
    if not ipaddress.ip_address(listen).is_unspecified:
        return str(listen)
    import socket  # here: the name service may be asked, and takes its time

    full = socket.getfqdn()
    return socket.gethostname() if full.startswith("localhost") else full


_PORT = types.within(1, 65535)

ROWS: tuple[Row, ...] = (
    Row(
        "state_dir", types.parse_state_dir, _default_state_dir, "PATH",
        "Folder that holds everything: the store, keys, clusters and logs.",
        extra_variables=("POOLKEEPER_HOME",),
    ),
    Row(
        "listen", types.parse_address, _fixed("127.0.0.1"), "ADDRESS",
        "IP address of the API, the pools and direct connections; 0.0.0.0 for all.",
    ),
    Row("api_port", _PORT, _fixed(8443), "PORT", "Port of the API."),
    Row(
        "public_host", types.parse_public_host, _default_public_host, "NAME",
        "Name that URIs and certificates bear. Default: the address listened on, or this "
        "machine's full name when that is all of them.",
    ),
    Row(
        "first_port", types.within(1, 65534), _fixed(25060), "PORT",
        "Direct port of the first cluster; its pools are one above, further clusters follow.",
    ),
    Row(
        "account", types.parse_account, _default_account, "NAME",
        "System account that PostgreSQL and PgBouncer run as when started by root.",
    ),
    Row(
        "store_url", types.parse_store_url, _fixed(None), "URL",
        "postgresql://… keeps the state in PostgreSQL. Default: SQLite in the "
        "state folder.",
        secret=True,
    ),
    Row(
        "pgbouncer", types.parse_path, _fixed(None), "PATH",
        "PgBouncer to run. Default: the private one in the state folder, else the system's.",
    ),
    Row(
        "postgres_prefixes", types.parse_paths, _fixed((Path("/usr/lib/postgresql"),)), "PATHS",
        "Folders, separated by colons, that hold one folder per major version of PostgreSQL.",
    ),
    Row(
        "log_level", types.parse_log_level, _fixed("info"), "LEVEL",
        f"How much is logged: {', '.join(types.LOG_LEVELS)}.",
    ),
    Row(
        "query_wait_timeout", types.within(0, 86400), _fixed(120), "SECONDS",
        "How long a client may wait for a backend connection; 0 for ever.",
    ),
    Row(
        "max_client_conn", types.within(1, 1_000_000), _fixed(10_000), "NUMBER",
        "Client connections that one PgBouncer process accepts.",
    ),
    Row(
        "drain_seconds", types.within(0, 3600), _fixed(10), "SECONDS",
        "How long clients of a deleted pool may go on before they are cut.",
    ),
    Row(
        "deleted_data_days", types.within(0, 3650), _fixed(7), "DAYS",
        "How long the data of a deleted cluster is kept.",
    ),
    Row(
        "request_wait_seconds", types.within(1, 300), _fixed(15), "SECONDS",
        "How long an API call waits for its change to be in force.",
    ),
    Row(
        "restart_wait_seconds", types.within(0, 3600), _fixed(30), "SECONDS",
        "How long a planned restart of PostgreSQL waits before it cuts anybody.",
    ),
    Row(
        "restart_cuts", types.one_of(AFTER_THE_WAIT, NEVER), _fixed(AFTER_THE_WAIT), "WHEN",
        f"Whether a planned restart cuts anybody: {AFTER_THE_WAIT}, or {NEVER}.",
    ),
    Row(
        "rate_limit_hour", types.within(0, 100_000_000), _fixed(5000), "CALLS",
        "API calls that a token may make in an hour; 0 for any number.",
    ),
    Row(
        "rate_limit_minute", types.within(0, 100_000_000), _fixed(250), "CALLS",
        "API calls that a token may make in a minute; 0 for any number.",
    ),
    Row(
        "panel_idle_hours", types.within(1, 8760), _fixed(12), "HOURS",
        "How long somebody stays signed in to the panel without using it.",
    ),
    Row(
        "panel_session_days", types.within(1, 365), _fixed(7), "DAYS",
        "How long somebody stays signed in to the panel in any case.",
    ),
)  # fmt: skip


def load(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    *,
    process: Process | None = None,
    host_checks: bool = True,
) -> Loaded:
    """All settings, or a SettingsError that names everything wrong with them.

    `flags` are keyed by the settings' names, plus ``config`` for the file. `host_checks`
    also looks at this machine: whether the account exists, say. Whoever only wants to
    look at a running Poolkeeper turns that off.
    """
    process = process or Process.observe()
    reading = Reading(ROWS, flags, environ, process)
    values, origins = reading.resolve(reading.gather())
    problems = reading.problems + check_ports(values)
    if host_checks:
        problems += check_host(values, process)
    if problems:
        raise SettingsError(problems)
    if process.euid != 0:
        values["account"] = None
    return Loaded(Settings(**values), origins)


def find_state_dir(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    *,
    process: Process | None = None,
) -> Path:
    """The state folder alone; other settings may be as wrong as they like."""
    row = ROWS[0]
    reading = Reading([row], flags, environ, process or Process.observe())
    values, origins = reading.resolve(reading.gather())
    path = values[row.name]
    assert isinstance(path, Path)
    mine = [f"{row.name} (", f"{row.name}: ", "config ("]
    if origins[row.name] == "default":
        # A file that cannot be read may have named another folder, unless it lies in this one.
        mine.append(f"{FILE_NAME}: ")
    within = f"{FILE_NAME}: {path / FILE_NAME}: "
    problems = [each for each in reading.problems if each.startswith(tuple(mine))]
    problems = [each for each in problems if not each.startswith(within)]
    if problems:
        raise SettingsError(problems)
    return path
