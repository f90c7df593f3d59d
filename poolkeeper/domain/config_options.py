"""Every setting of a cluster that is known to the API, as DigitalOcean names it.

Names, types and ranges are those of the API description (``databases_patch_config``); what
those of PgBouncer do is in its config.md. A dot after ``pgbouncer`` stands for an object in
the JSON; in other names it is literal.
"""

from __future__ import annotations

from poolkeeper.domain.config_kinds import Boolean, Choice, Fixed, Integer, Option, Text, Words
from poolkeeper.domain.config_postgres import POSTGRES

GROUPS = ("pgbouncer", "timescaledb")

_INT32 = 2**31 - 1

PGBOUNCER = (
    Option(
        "pgbouncer.server_reset_query_always",
        Boolean(),
        False,
        "Cleans a backend after each transaction, too; slower",
    ),
    Option(
        "pgbouncer.ignore_startup_parameters",
        Words(("extra_float_digits", "search_path"), 32),
        ["extra_float_digits"],
        "Clients may send these at login, without effect; `extra_float_digits` always, for JDBC",
    ),
    Option(
        "pgbouncer.min_pool_size",
        Integer(0, 10_000),
        0,
        "Backends that a pool in use keeps open; never more than its size",
    ),
    Option(
        "pgbouncer.server_lifetime",
        Integer(60, 86_400, "s"),
        3600,
        "Age at which an idle backend is closed",
    ),
    Option(
        "pgbouncer.server_idle_timeout",
        Integer(0, 86_400, "s"),
        600,
        "Idle time after which a backend is closed; 0: never",
    ),
    Option(
        "pgbouncer.autodb_pool_mode",
        Choice(("session", "transaction", "statement")),
        "session",
        "Kept and shown; without effect, since there are no automatic pools",
    ),
    Option(
        "pgbouncer.autodb_max_db_connections",
        Integer(0, _INT32),
        0,
        "Kept and shown; without effect",
    ),
    Option(
        "pgbouncer.autodb_idle_timeout",
        Integer(0, 86_400, "s"),
        3600,
        "Kept and shown; without effect",
    ),
)

_WRITTEN = "Written down for the extension; without effect, since that is not loaded here"

EXTENSIONS = (
    Option("timescaledb.max_background_workers", Integer(1, 4096), None, _WRITTEN),
    Option("pg_partman_bgw.role", Text(64, r"[_A-Za-z0-9][-._A-Za-z0-9]{0,63}"), None, _WRITTEN),
    Option("pg_partman_bgw.interval", Integer(3600, 604_800, "s"), None, _WRITTEN),
    Option(
        "stat_monitor_enable",
        Boolean(),
        False,
        "Kept and shown; without effect, since pg_stat_monitor is not loaded here",
    ),
)
"""Of extensions that are not loaded: whoever has set them at DigitalOcean can set them here."""

_NO_BACKUPS = "Poolkeeper takes no backups"
_ONE_NODE = "it takes a second node, and a cluster here has one"

FIXED = (
    Fixed("backup_hour", Integer(0, 23), None, _NO_BACKUPS),
    Fixed("backup_minute", Integer(0, 59), None, _NO_BACKUPS),
    Fixed("synchronous_replication", Choice(("off", "quorum")), "off", _ONE_NODE),
    Fixed("max_failover_replication_time_lag", Integer(10, 2**63 - 1, "s"), None, _ONE_NODE),
    Fixed(
        "max_connections", Integer(25, _INT32), None, "it follows the cluster's size; resize that"
    ),
    Fixed(
        "pgbouncer.autodb_pool_size",
        Integer(0, 10_000),
        0,
        "automatic pools would open backends beyond the budget; create a pool instead",
    ),
)

OPTIONS = {option.name: option for option in (*POSTGRES, *EXTENSIONS, *PGBOUNCER)}
FIXTURES = {fixed.name: fixed for fixed in FIXED}
