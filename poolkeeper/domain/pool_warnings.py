"""What is worth knowing about a pool as it goes, with the reason and what to do. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.status import PoolClients, PoolLoad

# Of a span, so much must have been seen before anything is said about all of it.
_ENOUGH_POINTS = 30
# More is a gap now and then, such as a server that was slow to answer.
_WITHOUT_GAPS = 0.9
_OFTEN_FULL = 0.5
_FULL = 0.95
_LONG_WAIT = 1.0


class Tone(enum.StrEnum):
    """How pressing it is, the most first."""

    BAD = "bad"
    WARN = "warn"
    HINT = "hint"


@dataclass(frozen=True)
class PoolWarning:
    """What is so, and what that means and can be done."""

    tone: Tone
    title: str
    text: str


@dataclass(frozen=True)
class PoolFindings:
    """What is known of a pool. ``busy``: mean backends at work, one for each ``step`` seconds
    up to now, None where nothing was seen; ``most_busy``: the greatest of any second.
    ``idle_in_transaction``: backends of the whole cluster that are held so.
    ``query_wait_timeout``: PgBouncer's, in seconds; 0: clients wait for ever."""

    shape: PoolShape
    load: PoolLoad | None
    clients: PoolClients | None
    idle_in_transaction: int
    busy: Sequence[float | None]
    most_busy: float | None
    step: int
    query_wait_timeout: int = 0


def list_warnings(found: PoolFindings) -> list[PoolWarning]:
    """All there is to say now, the most pressing first."""
    warnings = [
        *_warn_of_waits(found),
        *_warn_of_idle_transactions(found),
        *_warn_of_applications(found),
        *_warn_of_size(found),
    ]
    return sorted(warnings, key=lambda each: list(Tone).index(each.tone))


def explain_mode(mode: PoolMode) -> str:
    """What clients of a pool of that mode must not rely on; docs/pools.md has it at length."""
    if mode is PoolMode.SESSION:
        return (
            "A client keeps its backend as long as it is connected: everything of PostgreSQL works,"
            " and no more clients than the size are served at once; further ones wait."
        )
    if mode is PoolMode.STATEMENT:
        return (
            "A client keeps its backend for one statement: BEGIN is refused and the client"
            " disconnected."
        )
    return (
        "A client keeps its backend for one transaction. What a session keeps beyond it does not"
        " work: LISTEN, session advisory locks, temporary tables, SET without LOCAL, PREPARE as"
        " SQL. Prepared statements of drivers do. Use the direct connection for pg_dump,"
        " migrations and LISTEN."
    )


def _warn_of_waits(found: PoolFindings) -> Iterator[PoolWarning]:
    load, size = found.load, found.shape.size
    if load is None or not load.clients_waiting:
        return
    waiting = load.clients_waiting
    who = "1 client waits" if waiting == 1 else f"{waiting:,} clients wait"
    title = f"{who} for a backend, the first for {_word_seconds(load.maxwait_seconds)}"
    if load.backends_active >= size:
        held = (
            "as long as its client is connected"
            if found.shape.mode is PoolMode.SESSION
            else "until its transaction ends"
        )
        why = (
            f"All {size} backends are in use, each {held}. A larger size lets more run at once, if"
            " the machine can bear it; shorter transactions let each backend serve more clients."
        )
    else:
        why = (
            f"{load.backends_active} of {size} backends are in use: PgBouncer is opening more, or"
            " PostgreSQL does not let it; the cluster's overview says if something is wrong."
        )
    # Sharing a few backends among many is what a pool is for: turns of milliseconds are no harm.
    tone = Tone.WARN if load.maxwait_seconds >= _LONG_WAIT else Tone.HINT
    if limit := found.query_wait_timeout:
        why += f" Whoever waits for {limit} s is ended with query_wait_timeout."
    yield PoolWarning(tone, title, why)


def _warn_of_idle_transactions(found: PoolFindings) -> Iterator[PoolWarning]:
    count, load = found.idle_in_transaction, found.load
    if not count or load is None or not load.backends_active:
        return
    yield PoolWarning(
        Tone.WARN if load.clients_waiting else Tone.HINT,
        f"{count} backend{'s' if count != 1 else ''} of this cluster idle in transaction",
        "A client has begun a transaction and does nothing in it; no other client can use its"
        " backend meanwhile. Have the application commit before it does other work, or set"
        " idle_in_transaction_session_timeout.",
    )


def _warn_of_applications(found: PoolFindings) -> Iterator[PoolWarning]:
    if found.shape.mode is PoolMode.SESSION or found.clients is None:
        return
    names = {each.application for each in found.clients.applications}
    for tool in sorted(names & {"pg_dump", "pg_dumpall", "pg_restore"}):
        yield PoolWarning(
            Tone.BAD,
            f"{tool} runs through this pool",
            f"It does not fail in {found.shape.mode} mode, but it changes search_path under the"
            " other clients, whose queries may then not find their tables. Use the direct"
            " connection for it.",
        )


def _warn_of_size(found: PoolFindings) -> Iterator[PoolWarning]:
    size = found.shape.size
    busy = [each for each in found.busy if each is not None]
    if len(busy) < _ENOUGH_POINTS or found.most_busy is None:
        return
    over = _word_span(found)
    full = sum(each >= _FULL * size for each in busy) / len(busy)
    if full >= _OFTEN_FULL:
        yield PoolWarning(
            Tone.WARN,
            f"All backends were in use in {full:.0%} of {over}",
            f"The size of {size} is what limits this pool. While the machine has processors to"
            " spare, a larger one lets more run at once.",
        )
    elif size > 1 and 0 < found.most_busy <= size / 2:
        yield PoolWarning(
            Tone.HINT,
            f"At most {found.most_busy:.0f} of {size} backends were in use at once in {over}",
            "What this pool holds and does not use, others cannot have: a smaller size gives it"
            " back to the budget.",
        )


def _word_span(found: PoolFindings) -> str:
    """The time since the pool was first seen, less if there are gaps in it."""
    known = [index for index, each in enumerate(found.busy) if each is not None]
    since, seen = len(found.busy) - known[0], len(known)
    last = f"the last {_word_time(since * found.step)}"
    if seen < _WITHOUT_GAPS * since:
        return f"the {_word_time(seen * found.step)} seen of {last}"
    return last


def _word_time(seconds: int) -> str:
    for least, factor, unit in ((2 * 86400, 86400, "d"), (3600, 3600, "h"), (60, 60, "min")):
        if seconds >= least:
            return f"{seconds / factor:.2g} {unit}"
    return f"{seconds} s"


def _word_seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
