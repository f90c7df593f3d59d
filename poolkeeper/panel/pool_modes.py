"""The three modes in words: when to take each, and what breaks in it. docs/pools.md has more."""

from __future__ import annotations

from dataclasses import dataclass

from poolkeeper.domain.pools import PoolMode


@dataclass(frozen=True)
class ModeWords:
    """``keeps``: how long a client keeps a backend. ``breaks``: what does not work in it."""

    mode: PoolMode
    title: str
    keeps: str
    breaks: str


MODES = (
    ModeWords(
        PoolMode.TRANSACTION,
        "Transaction",
        "A client has a backend for one transaction. Right for most applications.",
        "What outlives a transaction does not work: LISTEN, session advisory locks, temporary"
        " tables, SET without LOCAL, PREPARE as SQL, WITH HOLD cursors. Prepared statements of"
        " drivers work.",
    ),
    ModeWords(
        PoolMode.SESSION,
        "Session",
        "A client has a backend as long as it is connected.",
        "Everything works, but each connected client holds a backend: further ones wait.",
    ),
    ModeWords(
        PoolMode.STATEMENT,
        "Statement",
        "A client has a backend for one statement.",
        "Transactions do not work: BEGIN is refused and the client is disconnected.",
    ),
)
WORDS = {words.mode: words for words in MODES}
