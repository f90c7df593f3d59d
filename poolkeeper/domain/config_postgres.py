"""PostgreSQL's settings that can be changed through the API; what each does is on the page of
that name in PostgreSQL's manual."""

from __future__ import annotations

from poolkeeper.domain.config_kinds import Boolean, Choice, Integer, Number, Option, Text
from poolkeeper.domain.memory import SHARED_BUFFERS_PERCENTAGE

# Seconds are enough, but the client's address has to be there: it is what one looks for.
LOG_LINE_PREFIX = "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h"

_INT32 = 2**31 - 1

_MS = "ms"
_AUTOVACUUM = (
    Option(
        "autovacuum_freeze_max_age",
        Integer(200_000_000, 1_500_000_000, "transactions"),
        200_000_000,
        "Age of a table's oldest transaction that forces a vacuum",
        restart=True,
    ),
    Option("autovacuum_max_workers", Integer(1, 20), 3, "Most vacuums at a time", restart=True),
    Option(
        "autovacuum_naptime", Integer(0, 86_400, "s"), 60, "Pause between rounds of a database", "s"
    ),
    Option(
        "autovacuum_vacuum_threshold", Integer(0, _INT32, "rows"), 50, "Changed rows before VACUUM"
    ),
    Option("autovacuum_analyze_threshold", Integer(0, _INT32, "rows"), 50, "The same for ANALYZE"),
    Option("autovacuum_vacuum_scale_factor", Number(0, 1), 0.2, "Part of a table added to it"),
    Option("autovacuum_analyze_scale_factor", Number(0, 1), 0.1, "The same for ANALYZE"),
    Option("autovacuum_vacuum_cost_delay", Integer(-1, 100, _MS), 2, "Rest of a vacuum", _MS),
    Option("autovacuum_vacuum_cost_limit", Integer(-1, 10_000), -1, "Work between two rests"),
)
_WRITERS = (
    Option("bgwriter_delay", Integer(10, 10_000, _MS), 200, "Pause of the background writer", _MS),
    Option(
        "bgwriter_flush_after",
        Integer(0, 2048, "kB"),
        512,
        "Written data after which the system is told to flush; taken in steps of 8 kB",
        "kB",
    ),
    Option(
        "bgwriter_lru_maxpages", Integer(0, 1_073_741_823), 100, "Most buffers written in a round"
    ),
    Option("bgwriter_lru_multiplier", Number(0, 10), 2.0, "Buffers written, for each one needed"),
    Option("wal_writer_delay", Integer(10, 200, _MS), 200, "Pause of the WAL writer", _MS),
)
_SESSIONS = (
    Option(
        "deadlock_timeout",
        Integer(500, 1_800_000, _MS),
        1000,
        "Wait for a lock before deadlocks are looked for",
        _MS,
    ),
    Option(
        "idle_in_transaction_session_timeout",
        Integer(0, 604_800_000, _MS),
        0,
        "Ends sessions that idle in a transaction; 0: never",
        _MS,
    ),
    Option(
        "default_toast_compression",
        Choice(("lz4", "pglz")),
        "pglz",
        "How large values are compressed",
        since=14,
    ),
    Option("jit", Boolean(), True, "Compiles expressions of long queries"),
    Option("timezone", Text(64), "UTC", "Time zone of sessions, by its name in the zone database"),
    Option(
        "max_stack_depth",
        Integer(2_097_152, 6_291_456, "bytes"),
        2_097_152,
        "Depth of a backend's stack",
        "B",
    ),
    Option(
        "max_files_per_process", Integer(1000, 4096), 1000, "Open files of a backend", restart=True
    ),
    Option(
        "temp_file_limit",
        Integer(-1, _INT32, "kB"),
        -1,
        "Temporary files of a session; -1: no limit",
        "kB",
    ),
    Option("work_mem", Integer(1, 1024, "MB"), None, "Memory of one sort or hash", "MB"),
    Option(
        "shared_buffers_percentage",
        Number(20, 60, "% of the size's memory"),
        SHARED_BUFFERS_PERCENTAGE,
        "Share of memory for shared_buffers; the planner's estimate and work_mem follow it",
        setting="shared_buffers",
        restart=True,
    ),
)
_LOCKS_AND_WORKERS = (
    Option(
        "max_prepared_transactions",
        Integer(0, 10_000),
        0,
        "Transactions prepared for two-phase commit at a time",
        restart=True,
    ),
    Option(
        "max_pred_locks_per_transaction",
        Integer(64, 640),
        64,
        "Room for predicate locks",
        restart=True,
    ),
    Option("max_locks_per_transaction", Integer(64, 6400), 64, "Room for locks", restart=True),
    Option("max_parallel_workers", Integer(0, 96), None, "Parallel workers of all queries"),
    Option(
        "max_parallel_workers_per_gather",
        Integer(0, 96),
        None,
        "Parallel workers of one node of a plan",
    ),
    Option("max_worker_processes", Integer(8, 96), None, "Background processes", restart=True),
)
_REPLICATION = (
    Option(
        "max_standby_archive_delay",
        Integer(1, 43_200_000, _MS),
        30_000,
        "Without effect: there is no standby",
        _MS,
    ),
    Option(
        "max_standby_streaming_delay",
        Integer(1, 43_200_000, _MS),
        30_000,
        "Without effect: there is no standby",
        _MS,
    ),
    Option(
        "max_replication_slots",
        Integer(8, 64),
        10,
        "Slots; never fewer than there are, because PostgreSQL would not start",
        restart=True,
    ),
    Option(
        "max_logical_replication_workers",
        Integer(4, 64),
        4,
        "Processes for subscriptions",
        restart=True,
    ),
    Option("max_wal_senders", Integer(20, 64), 20, "Replication connections", restart=True),
    Option(
        "wal_sender_timeout",
        Integer(0, 10_800_000, _MS, gap=5000),
        60_000,
        "Ends replication connections that are silent; 0: never",
        _MS,
    ),
    Option(
        "max_slot_wal_keep_size",
        Integer(-1, _INT32, "MB"),
        None,
        "Write-ahead log kept for slots; -1: no limit, and a full disk if a slot is not read",
        "MB",
    ),
    Option(
        "track_commit_timestamp",
        Choice(("off", "on")),
        "off",
        "Keeps the time of each commit",
        restart=True,
    ),
)
_LOG_AND_STATISTICS = (
    Option(
        "log_autovacuum_min_duration",
        Integer(-1, _INT32, _MS),
        None,
        "Logs vacuums that take so long; -1: none",
        _MS,
    ),
    Option(
        "log_error_verbosity",
        Choice(("TERSE", "DEFAULT", "VERBOSE")),
        "DEFAULT",
        "How much a message of the log tells",
    ),
    Option(
        "log_line_prefix",
        Choice(
            (
                "pid=%p,user=%u,db=%d,app=%a,client=%h",
                "%m [%p] %q[user=%u,db=%d,app=%a]",
                LOG_LINE_PREFIX,
            )
        ),
        LOG_LINE_PREFIX,
        "What each line of the log begins with",
    ),
    Option(
        "log_min_duration_statement",
        Integer(-1, 86_400_000, _MS),
        -1,
        "Logs statements that take so long, with all they hold; -1: none",
        _MS,
    ),
    Option(
        "pg_stat_statements.track",
        Choice(("all", "top", "none")),
        "top",
        "Which statements are counted",
    ),
    Option(
        "track_activity_query_size",
        Integer(1024, 10_240, "bytes"),
        1024,
        "Length of the query text that pg_stat_activity shows",
        "B",
        restart=True,
    ),
    Option("track_functions", Choice(("all", "pl", "none")), "none", "Counts calls of functions"),
    Option("track_io_timing", Choice(("off", "on")), "on", "Times reads and writes"),
)

POSTGRES = (
    *_AUTOVACUUM,
    *_WRITERS,
    *_SESSIONS,
    *_LOCKS_AND_WORKERS,
    *_REPLICATION,
    *_LOG_AND_STATISTICS,
)
