"""What pieces of code for drivers are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass

from poolkeeper.domain.connection_formats import YOUR_PASSWORD, YOUR_USER
from poolkeeper.domain.connections import Connection
from poolkeeper.domain.pools import PoolMode


@dataclass(frozen=True)
class Snippet:
    """``notes``: what this driver needs in this mode, one sentence or two each."""

    key: str
    title: str
    code: str
    notes: tuple[str, ...] = ()


def choose_notes(
    mode: PoolMode | None,
    *,
    transaction: tuple[str, ...] = (),
    session: tuple[str, ...] = (),
    statement: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Those of the mode; of the direct connection, which is None, there are none."""
    if mode is None:
        return ()
    by_mode = {
        PoolMode.TRANSACTION: transaction,
        PoolMode.SESSION: session,
        PoolMode.STATEMENT: statement,
    }
    return by_mode[mode]


def quote_user(connection: Connection) -> str:
    """The user as a literal, or where to put it in."""
    return quote_text(connection.user or YOUR_USER)


def quote_password(connection: Connection) -> str:
    """The password as a literal, or where to put it in."""
    return quote_text(connection.password or YOUR_PASSWORD)


def quote_text(text: str) -> str:
    """A string as JSON has it, which is one in Python, JavaScript, Java and YAML as well."""
    return json.dumps(text, ensure_ascii=False)
