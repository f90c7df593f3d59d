"""Draft the next revision: what the tables of schema.py have that the newest one has not."""

from __future__ import annotations

import sys

from alembic import command
from sqlalchemy import create_engine

from poolkeeper.store.revisions import HEAD, configure


def draft_revision(message: str) -> None:
    """Write a file to ``versions/``; a SQLite database in memory stands in for a store."""
    with create_engine("sqlite://").connect() as connection:
        config = configure(connection)
        command.upgrade(config, "head")
        command.revision(config, message, autogenerate=True, rev_id=f"{int(HEAD) + 1:04}")


if __name__ == "__main__":
    draft_revision(" ".join(sys.argv[1:]) or sys.exit(__doc__))
