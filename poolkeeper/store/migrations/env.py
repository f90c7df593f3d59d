"""Run by Alembic for each command; ``poolkeeper.store.revisions`` passes the connection."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from poolkeeper.store.schema import METADATA
from poolkeeper.store.timestamps import Timestamp


def render_item(kind: str, item: Any, _: object) -> str | Literal[False]:
    """Revisions are history: they must not use types of today's code."""
    return "sa.DateTime(timezone=True)" if isinstance(item, Timestamp) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    render_item=render_item,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
