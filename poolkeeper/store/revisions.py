"""Which revision of the schema a store has, and how it gets another.

Alembic is loaded only to alter a store that has something in it: a new one gets the tables as
they are now, and a start on a store that is at ``HEAD`` costs one query.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, text

from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.store.schema import METADATA

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0002"
"""The revision that this code works with: the newest in ``migrations/versions``."""

# As Alembic makes it.
_MARK = Table(
    "alembic_version",
    MetaData(naming_convention={"pk": "%(table_name)s_pkc"}),
    Column("version_num", String(32), primary_key=True),
)


def read_revision(connection: Connection) -> str | None:
    """The store's revision; None for an empty database."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(connection: Connection) -> None:
    """Bring the store to HEAD, all or nothing within the connection's transaction.

    Raises PoolkeeperError, having changed nothing, if a newer Poolkeeper has been here.
    """
    if connection.dialect.has_table(connection, _MARK.name):
        climb(connection)
        return
    METADATA.create_all(connection, checkfirst=False)
    _MARK.create(connection)
    connection.execute(insert(_MARK).values(version_num=HEAD))


def climb(connection: Connection) -> None:
    """Run every revision that the store has not had yet; raises as ``upgrade`` does."""
    from alembic import command
    from alembic.script import ScriptDirectory

    config = configure(connection)
    revision = read_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise PoolkeeperError(
            f"the store has schema {revision}, this Poolkeeper knows {HEAD} and older:"
            " run the newer Poolkeeper again, or restore a backup from before its first start"
        )
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        _check_references(connection)


def configure(connection: Connection) -> Config:
    """Alembic, set up for a connection, whose transaction it leaves to the caller to end."""
    from alembic.config import Config

    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", "poolkeeper.store:migrations")
    config.attributes["connection"] = connection
    return config


def _check_references(connection: Connection) -> None:
    """Foreign keys are off while SQLite's tables change, so look at them all afterwards."""
    broken = connection.execute(text("PRAGMA foreign_key_check")).fetchall()
    if broken:
        raise PoolkeeperError(
            f"the store cannot be brought to schema {HEAD}: {len(broken)} rows would refer to"
            f" nothing, first {broken[0][0]!r} → {broken[0][2]!r}; nothing was changed"
        )
