"""Firewalls, settings of clusters, tags, repeated calls, and sessions of the panel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NEW_TABLES = (
    *("sign_in_links", "panel_sessions", "firewall_rules"),
    *("unanswered", "tags", "metrics_credentials"),
)


def upgrade() -> None:
    _add_columns()
    _create_firewall_rules()
    _create_unanswered()
    _create_sessions()
    op.create_table(
        "tags",
        _text("name"),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("name", name="pk_tags"),
    )
    op.create_table(
        "metrics_credentials",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        _text("username"),
        _text("password"),
        sa.PrimaryKeyConstraint("id", name="pk_metrics_credentials"),
    )


def downgrade() -> None:
    for table in NEW_TABLES:
        op.drop_table(table)
    with op.batch_alter_table("events") as batch:
        batch.drop_column("applied_ms")
    with op.batch_alter_table("cluster_states") as batch:
        for name in ("max_connections", "restarted_generation", "pending"):
            batch.drop_column(name)
    with op.batch_alter_table("clusters") as batch:
        for name in ("restart_generation", "resize_generation", "config", "autoscale"):
            batch.drop_column(name)
        for name in ("service_cnames", "maintenance_hour", "maintenance_day"):
            batch.drop_column(name)


def _add_columns() -> None:
    with op.batch_alter_table("clusters") as batch:
        batch.add_column(_text("maintenance_day", server_default="sunday"))
        batch.add_column(_text("maintenance_hour", server_default="03:00:00"))
        batch.add_column(_json("service_cnames", "[]"))
        batch.add_column(_json("autoscale", "{}"))
        batch.add_column(_json("config", "{}"))
        batch.add_column(_integer("resize_generation", server_default="0"))
        batch.add_column(_integer("restart_generation", server_default="0"))
    with op.batch_alter_table("cluster_states") as batch:
        batch.add_column(_json("pending", "[]"))
        batch.add_column(_integer("restarted_generation", server_default="0"))
        batch.add_column(_integer("max_connections", server_default="0"))
    with op.batch_alter_table("events") as batch:
        batch.add_column(sa.Column("applied_ms", sa.Integer(), nullable=True))


def _create_firewall_rules() -> None:
    op.create_table(
        "firewall_rules",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        _integer("position"),
        _text("type"),
        _text("value"),
        _text("description"),
        _moment("created_at"),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["clusters.id"],
            name="fk_firewall_rules_cluster_id_clusters",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("uuid", name="pk_firewall_rules"),
    )
    op.create_index(
        "ix_firewall_rules_cluster_id_position", "firewall_rules", ["cluster_id", "position"]
    )


def _create_unanswered() -> None:
    op.create_table(
        "unanswered",
        _text("token_id"),
        _text("digest"),
        _moment("at"),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        _text("subject"),
        _integer("generation"),
        sa.PrimaryKeyConstraint("token_id", "digest", name="pk_unanswered"),
    )


def _create_sessions() -> None:
    op.create_table(
        "panel_sessions",
        _text("value_hash"),
        _text("token_id"),
        _moment("created_at"),
        _moment("last_used_at"),
        _of_token("panel_sessions"),
        sa.PrimaryKeyConstraint("value_hash", name="pk_panel_sessions"),
    )
    op.create_table(
        "sign_in_links",
        _text("value_hash"),
        _text("token_id"),
        _moment("created_at"),
        _of_token("sign_in_links"),
        sa.PrimaryKeyConstraint("value_hash", name="pk_sign_in_links"),
    )


def _text(name: str, *, server_default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, server_default=server_default)


def _integer(name: str, *, server_default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default=server_default)


def _json(name: str, server_default: str) -> sa.Column[object]:
    document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    return sa.Column(name, document, nullable=False, server_default=server_default)


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _of_token(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["token_id"], ["tokens.id"], name=f"fk_{table}_token_id_tokens", ondelete="CASCADE"
    )
