"""Every error Poolkeeper raises on purpose.

::

    PoolkeeperError                      one line: what happened, what it means, what to do
    ├── InvalidRequest          422      the caller asked for something that cannot be
    │   ├── InvalidField                 … because of one field, which it names
    │   ├── KnownRefusal                 … and DigitalOcean's clients compare the words
    │   ├── NameTaken                    … because the name is in use
    │   ├── StillInUse                   … because pools use what was to be deleted
    │   ├── Overtaken                    … because somebody else changed it since it was looked at
    │   ├── BudgetExceeded               … because the backend connections do not suffice
    │   │   └── SizeTooSmall             … for the pools that there are
    │   └── Refused                      … PostgreSQL or PgBouncer would not have it
    ├── NotFound                404
    ├── Unauthenticated         401
    ├── Forbidden               403
    ├── TooManyRequests         429      the token has spent its rate limit
    ├── Unavailable             503      nothing was applied; try again
    │   └── NotReady                     … when the cluster is online
    └── EngineError                      inside the engine; the reconciler turns it into a reason
        ├── ProcessFailed                a server would not start or stop
        ├── ReloadRefused                PgBouncer kept its old configuration
        └── ConsoleUnreachable           PgBouncer's console does not answer

The numbers are HTTP's; only ``api.problems`` uses them.
"""

from __future__ import annotations

from collections.abc import Mapping

_MOST_NAMED = 12


class PoolkeeperError(Exception):
    """Something went wrong that a person can act on; ``str()`` is the whole message."""


class InvalidRequest(PoolkeeperError):
    """The request cannot be met as it stands; nothing was applied.

    ``field``: the one that is wrong, if one is; ``reason``: what is wrong with it, to be
    shown beside it.
    """

    def __init__(self, message: str, *, field: str | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.reason = reason or message


class InvalidField(InvalidRequest):
    """One field of a request is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}", field=field, reason=reason)


class KnownRefusal(InvalidRequest):
    """What DigitalOcean refuses, too, in a ``text`` that its clients compare to the letter.

    ``str()`` and ``reason`` say more, for people.
    """

    def __init__(self, text: str, reason: str, *, field: str) -> None:
        super().__init__(f"{text}: {reason}", field=field, reason=reason)
        self.text = text


class NameTaken(InvalidRequest):
    """The name is in use. The text for pools is DigitalOcean's: clients look for it."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"{kind} name is not available", field="name")
        self.kind = kind


class Overtaken(InvalidRequest):
    """It is not what the caller takes it to be: somebody else was quicker."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} was changed by somebody else meanwhile, and nothing was applied; look at it"
            " again"
        )


class StillInUse(InvalidRequest):
    """A database or user cannot go while pools use it."""

    def __init__(self, kind: str, name: str, pools: list[str]) -> None:
        listed = ", ".join(pools[:_MOST_NAMED])
        more = len(pools) - _MOST_NAMED
        super().__init__(
            f"{kind} {name!r} is used by {_count(len(pools), 'pool')}: {listed}"
            f"{f' and {more} more' if more > 0 else ''}; "
            f"delete or change {'it' if len(pools) == 1 else 'them'} first"
        )
        self.pools = pools


def _name_holders(held: Mapping[str, int]) -> str:
    """Who holds how much; of very many those that hold most, and how many others do."""
    largest = sorted(held, key=lambda name: (-held[name], name))[:_MOST_NAMED]
    named = ", ".join(f"{name} {held[name]}" for name in sorted(largest))
    others = len(held) - len(largest)
    if not others:
        return named
    rest = sum(held.values()) - sum(held[name] for name in largest)
    return f"{named} and {others} other pool{'s' if others > 1 else ''} together {rest}"


class BudgetExceeded(InvalidRequest):
    """The pools of a cluster would hold more backend connections than it has to give."""

    def __init__(self, asked: int, total: int, held: Mapping[str, int]) -> None:
        left = max(total - sum(held.values()), 0)
        reason = f"asked for {asked}, {left} left of {total} backend connections"
        reason += f" (held: {_name_holders(held)})" if held else ""
        super().__init__(f"size: {reason}", field="size", reason=reason)
        self.asked = asked
        self.left = left
        self.total = total
        self.held = dict(held)


class SizeTooSmall(BudgetExceeded):
    """The pools of a cluster hold more backend connections than a smaller size has to give."""

    def __init__(self, slug: str, total: int, held: Mapping[str, int]) -> None:
        super().__init__(0, total, held)
        self.reason = (
            f"{slug} has {total} backend connections, the pools hold"
            f" {sum(held.values())} ({_name_holders(held)}); delete some or make them smaller first"
        )
        self.args = (f"size: {self.reason}",)


class Refused(InvalidRequest):
    """PostgreSQL or PgBouncer refused the change; it was taken back."""


class NotFound(PoolkeeperError):
    """No such thing. The texts are DigitalOcean's: ``cluster not found``, ``not found``."""


class Unauthenticated(PoolkeeperError):
    """No token, or none that is valid."""

    def __init__(self) -> None:
        super().__init__("Unable to authenticate you.")


class Forbidden(PoolkeeperError):
    """The token lacks a scope."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"this token lacks the scope {scope!r}")
        self.scope = scope


class TooManyRequests(PoolkeeperError):
    """A token makes more calls than its rate limit allows. The text begins as DigitalOcean's."""

    def __init__(self, limit: str, retry_after: int) -> None:
        super().__init__(
            f"API Rate limit exceeded: {limit}; nothing was applied, try again in {retry_after} s"
        )
        self.retry_after = retry_after


class Unavailable(PoolkeeperError):
    """The change could not be put in force in time and was taken back; try again."""


class NotReady(Unavailable):
    """The cluster is not online yet; the same request will succeed once it is.

    503 and not 412, as every client repeats a 503 by itself.
    """


class EngineError(PoolkeeperError):
    """A server, a process or a file did not do as it was told."""


class ProcessFailed(EngineError):
    """A server process did not start, or did not stop, and its log says why."""


class ReloadRefused(EngineError):
    """PgBouncer refused the new configuration and runs on with the last good one."""


class ConsoleUnreachable(EngineError):
    """PgBouncer's admin console does not answer on its socket."""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
