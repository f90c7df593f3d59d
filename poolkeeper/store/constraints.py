"""Which promise of the database a statement would have broken."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.exc import IntegrityError


def violates(error: IntegrityError, index: Index) -> bool:
    """Whether it is this unique index that refused a row."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return bool(diagnosis.constraint_name == index.name)
    # SQLite tells the columns, not the index.
    columns = ", ".join(str(column) for column in index.columns)
    return str(error.orig) == f"UNIQUE constraint failed: {columns}"
