"""The tables: one schema for SQLite and PostgreSQL.

Usecases write what is *wanted* (clusters, databases, users, pools, tokens), the reconciler
writes what *is* (cluster_states, pool_states, failures); no column has two writers.
``sqlite_autoincrement``: a row's number is never given to another row later.
A change here needs a revision: see ``poolkeeper.store.migrations``.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from poolkeeper.store.timestamps import Timestamp

# PostgreSQL compares defaults of jsonb, but not of json.
DOCUMENT = JSON().with_variant(JSONB(), "postgresql")

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _belong_to_cluster(*, primary_key: bool = False) -> Column[object]:
    """What belongs to a cluster goes with it."""
    parent = ForeignKey("clusters.id", ondelete="CASCADE")
    return Column("cluster_id", Uuid(), parent, primary_key=primary_key, nullable=False)


clusters = Table(
    "clusters",
    METADATA,
    Column("id", Uuid(), primary_key=True),
    Column("name", Text(), nullable=False),
    Column("version", Text(), nullable=False),
    Column("size", Text(), nullable=False),
    Column("region", Text(), nullable=False),
    Column("direct_port", Integer(), nullable=False),
    Column("storage_size_mib", Integer(), nullable=False),
    Column("tags", JSON(), nullable=False),
    Column("private_network_uuid", Text(), nullable=False),
    Column("project_id", Text(), nullable=False),
    Column("superuser_password", Text(), nullable=False),
    Column("console_password", Text(), nullable=False),
    Column("created_at", Timestamp(), nullable=False),
    Column("generation", Integer(), nullable=False),
    Column("deleted_at", Timestamp()),
    Column("maintenance_day", Text(), nullable=False, server_default="sunday"),
    Column("maintenance_hour", Text(), nullable=False, server_default="03:00:00"),
    Column("service_cnames", DOCUMENT, nullable=False, server_default="[]"),
    Column("autoscale", DOCUMENT, nullable=False, server_default="{}"),
    Column("config", DOCUMENT, nullable=False, server_default="{}"),
    # At which generations the last resize and the last restart were asked for.
    Column("resize_generation", Integer(), nullable=False, server_default="0"),
    Column("restart_generation", Integer(), nullable=False, server_default="0"),
)

live_cluster_names = Index(
    "uq_clusters_live_name",
    clusters.c.name,
    unique=True,
    sqlite_where=clusters.c.deleted_at.is_(None),
    postgresql_where=clusters.c.deleted_at.is_(None),
)

live_cluster_ports = Index(
    "uq_clusters_live_direct_port",
    clusters.c.direct_port,
    unique=True,
    sqlite_where=clusters.c.deleted_at.is_(None),
    postgresql_where=clusters.c.deleted_at.is_(None),
)

databases = Table(
    "databases",
    METADATA,
    Column("id", Integer(), primary_key=True),
    _belong_to_cluster(),
    Column("name", Text(), nullable=False),
    Column("generation", Integer(), nullable=False),
    Column("deleted", Boolean(), nullable=False),
    UniqueConstraint("cluster_id", "name"),
    sqlite_autoincrement=True,
)

users = Table(
    "users",
    METADATA,
    Column("id", Integer(), primary_key=True),
    _belong_to_cluster(),
    Column("name", Text(), nullable=False),
    Column("role", Text(), nullable=False),
    Column("password", Text(), nullable=False),
    Column("verifier", Text(), nullable=False),
    Column("generation", Integer(), nullable=False),
    Column("allow_replication", Boolean(), nullable=False),
    Column("deleted", Boolean(), nullable=False),
    UniqueConstraint("cluster_id", "name"),
    sqlite_autoincrement=True,
)

pools = Table(
    "pools",
    METADATA,
    Column("id", Integer(), primary_key=True),
    _belong_to_cluster(),
    Column("name", Text(), nullable=False),
    Column("db", Text(), nullable=False),
    Column("user_name", Text()),
    Column("mode", Text(), nullable=False),
    Column("size", Integer(), nullable=False),
    Column("generation", Integer(), nullable=False),
    Column("created_at", Timestamp(), nullable=False),
    Column("deleted_at", Timestamp()),
    CheckConstraint("size > 0", name="size_positive"),
    Index(None, "cluster_id", "name"),
    sqlite_autoincrement=True,
)

live_pool_names = Index(
    "uq_pools_live_name",
    pools.c.cluster_id,
    pools.c.name,
    unique=True,
    sqlite_where=pools.c.deleted_at.is_(None),
    postgresql_where=pools.c.deleted_at.is_(None),
)

firewall_rules = Table(
    "firewall_rules",
    METADATA,
    Column("uuid", Uuid(), primary_key=True),
    _belong_to_cluster(),
    Column("position", Integer(), nullable=False),
    Column("type", Text(), nullable=False),
    Column("value", Text(), nullable=False),
    Column("description", Text(), nullable=False),
    Column("created_at", Timestamp(), nullable=False),
    Index(None, "cluster_id", "position"),
)

# Tags that exist by themselves; which of them a cluster bears stands in its row.
tags = Table(
    "tags",
    METADATA,
    Column("name", Text(), primary_key=True),
    Column("created_at", Timestamp(), nullable=False),
)

cluster_states = Table(
    "cluster_states",
    METADATA,
    _belong_to_cluster(primary_key=True),
    Column("phase", Text(), nullable=False),
    Column("reason", Text(), nullable=False),
    Column("since", Timestamp(), nullable=False),
    Column("step", Text(), nullable=False),
    Column("applied_generation", Integer(), nullable=False),
    Column("failed_generation", Integer(), nullable=False),
    Column("was_online", Boolean(), nullable=False),
    Column("pending", DOCUMENT, nullable=False, server_default="[]"),
    Column("restarted_generation", Integer(), nullable=False, server_default="0"),
    Column("max_connections", Integer(), nullable=False, server_default="0"),
)

pool_states = Table(
    "pool_states",
    METADATA,
    Column(
        "pool_id",
        Integer(),
        ForeignKey("pools.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("phase", Text(), nullable=False),
    Column("reason", Text(), nullable=False),
    Column("since", Timestamp(), nullable=False),
    Column("applied_generation", Integer(), nullable=False),
    Column("held", Integer(), nullable=False),
)

failures = Table(
    "failures",
    METADATA,
    _belong_to_cluster(primary_key=True),
    Column("subject", Text(), primary_key=True),
    Column("generation", Integer(), nullable=False),
    Column("reason", Text(), nullable=False),
)

# No foreign key: the audit trail outlives what it tells of.
events = Table(
    "events",
    METADATA,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("at", Timestamp(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("actor", Text(), nullable=False),
    Column("subject", Text(), nullable=False),
    Column("cluster_id", Uuid()),
    Column("cluster_name", Text()),
    Column("detail", JSON(), nullable=False),
    Column("applied_ms", Integer()),
    Index(None, "cluster_id", "id"),
    sqlite_autoincrement=True,
)

tokens = Table(
    "tokens",
    METADATA,
    Column("id", Text(), primary_key=True),
    Column("name", Text(), nullable=False),
    Column("scopes", JSON(), nullable=False),
    Column("value_hash", Text(), nullable=False),
    Column("created_at", Timestamp(), nullable=False),
    Column("expires_at", Timestamp()),
    Column("last_used_at", Timestamp()),
    UniqueConstraint("value_hash"),
)

# Creations whose answer has not reached its caller yet; no foreign key, tokens may go first.
unanswered = Table(
    "unanswered",
    METADATA,
    Column("token_id", Text(), primary_key=True),
    Column("digest", Text(), primary_key=True),
    Column("at", Timestamp(), nullable=False),
    Column("cluster_id", Uuid(), nullable=False),
    Column("subject", Text(), nullable=False),
    Column("generation", Integer(), nullable=False),
)


def _belong_to_token() -> Column[object]:
    """A revoked token takes with it whoever signed in by it."""
    parent = ForeignKey("tokens.id", ondelete="CASCADE")
    return Column("token_id", Text(), parent, nullable=False)


panel_sessions = Table(
    "panel_sessions",
    METADATA,
    Column("value_hash", Text(), primary_key=True),
    _belong_to_token(),
    Column("created_at", Timestamp(), nullable=False),
    Column("last_used_at", Timestamp(), nullable=False),
)

sign_in_links = Table(
    "sign_in_links",
    METADATA,
    Column("value_hash", Text(), primary_key=True),
    _belong_to_token(),
    Column("created_at", Timestamp(), nullable=False),
)

# One row: who may read /metrics.
metrics_credentials = Table(
    "metrics_credentials",
    METADATA,
    Column("id", Integer(), primary_key=True, autoincrement=False),
    Column("username", Text(), nullable=False),
    Column("password", Text(), nullable=False),
)

# One row: a known text, sealed, by which a wrong key is found at start, not at first use.
key_checks = Table(
    "key_checks",
    METADATA,
    Column("id", Integer(), primary_key=True, autoincrement=False),
    Column("sealed", Text(), nullable=False),
)
