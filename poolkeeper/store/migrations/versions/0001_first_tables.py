"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LIVE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    _create_clusters()
    _create_databases()
    _create_users()
    _create_pools()
    _create_states()
    _create_events()
    _create_tokens()
    op.create_table(
        "key_checks",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        _text("sealed"),
        sa.PrimaryKeyConstraint("id", name="pk_key_checks"),
    )


def downgrade() -> None:
    for table in ("key_checks", "tokens", "events", "failures", "pool_states", "cluster_states"):
        op.drop_table(table)
    for table in ("pools", "users", "databases", "clusters"):
        op.drop_table(table)


def _create_clusters() -> None:
    op.create_table(
        "clusters",
        sa.Column("id", sa.Uuid(), nullable=False),
        _text("name"),
        _text("version"),
        _text("size"),
        _text("region"),
        _number("direct_port"),
        _number("storage_size_mib"),
        sa.Column("tags", sa.JSON(), nullable=False),
        _text("private_network_uuid"),
        _text("project_id"),
        _text("superuser_password"),
        _text("console_password"),
        _moment("created_at"),
        _number("generation"),
        _moment("deleted_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_clusters"),
    )
    for index, column in (
        ("uq_clusters_live_name", "name"),
        ("uq_clusters_live_direct_port", "direct_port"),
    ):
        op.create_index(
            index,
            "clusters",
            [column],
            unique=True,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        )


def _create_databases() -> None:
    op.create_table(
        "databases",
        sa.Column("id", sa.Integer(), nullable=False),
        *_belong_to_cluster("databases"),
        _text("name"),
        _number("generation"),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_databases"),
        sa.UniqueConstraint("cluster_id", "name", name="uq_databases_cluster_id_name"),
        sqlite_autoincrement=True,
    )


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        *_belong_to_cluster("users"),
        _text("name"),
        _text("role"),
        _text("password"),
        _text("verifier"),
        _number("generation"),
        sa.Column("allow_replication", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("cluster_id", "name", name="uq_users_cluster_id_name"),
        sqlite_autoincrement=True,
    )


def _create_pools() -> None:
    op.create_table(
        "pools",
        sa.Column("id", sa.Integer(), nullable=False),
        *_belong_to_cluster("pools"),
        _text("name"),
        _text("db"),
        _text("user_name", nullable=True),
        _text("mode"),
        _number("size"),
        _number("generation"),
        _moment("created_at"),
        _moment("deleted_at", nullable=True),
        sa.CheckConstraint("size > 0", name=op.f("ck_pools_size_positive")),
        sa.PrimaryKeyConstraint("id", name="pk_pools"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_pools_cluster_id_name", "pools", ["cluster_id", "name"])
    op.create_index(
        "uq_pools_live_name",
        "pools",
        ["cluster_id", "name"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )


def _create_states() -> None:
    op.create_table(
        "cluster_states",
        *_belong_to_cluster("cluster_states"),
        *(_text("phase"), _text("reason"), _moment("since")),
        _text("step"),
        _number("applied_generation"),
        _number("failed_generation"),
        sa.Column("was_online", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", name="pk_cluster_states"),
    )
    op.create_table(
        "pool_states",
        sa.Column("pool_id", sa.Integer(), autoincrement=False, nullable=False),
        *(_text("phase"), _text("reason"), _moment("since")),
        _number("applied_generation"),
        _number("held"),
        sa.PrimaryKeyConstraint("pool_id", name="pk_pool_states"),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["pools.id"], name="fk_pool_states_pool_id_pools", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "failures",
        *_belong_to_cluster("failures"),
        _text("subject"),
        _number("generation"),
        _text("reason"),
        sa.PrimaryKeyConstraint("cluster_id", "subject", name="pk_failures"),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        _moment("at"),
        _text("kind"),
        _text("actor"),
        _text("subject"),
        sa.Column("cluster_id", sa.Uuid()),
        _text("cluster_name", nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_cluster_id_id", "events", ["cluster_id", "id"])


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        _text("id"),
        _text("name"),
        sa.Column("scopes", sa.JSON(), nullable=False),
        _text("value_hash"),
        _moment("created_at"),
        _moment("expires_at", nullable=True),
        _moment("last_used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("value_hash", name="uq_tokens_value_hash"),
    )


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _belong_to_cluster(table: str) -> tuple[sa.Column[object], sa.ForeignKeyConstraint]:
    return sa.Column("cluster_id", sa.Uuid(), nullable=False), sa.ForeignKeyConstraint(
        ["cluster_id"], ["clusters.id"], name=f"fk_{table}_cluster_id_clusters", ondelete="CASCADE"
    )
