"""``pgbouncer_hba.conf`` as text: who may log in to which pool, and from where.

PgBouncer looks at it at each login and never again. Pools of one user share their lines,
because a hundred networks times five hundred pools would else hold up all clients while
PgBouncer reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from poolkeeper.domain.entries import Entry
from poolkeeper.domain.firewall import EVERYWHERE, Network
from poolkeeper.domain.names import CONSOLE_DATABASE, SUPERUSER

_HEADER = """\
# Written by Poolkeeper and overwritten at every change; use its API instead.
# TYPE DATABASE USER ADDRESS METHOD
"""


def render_hba(entries: Iterable[Entry], networks: Sequence[Network] | None) -> str:
    """The whole file; the first line that fits decides, and none is a refusal.

    ``networks``: from where clients may come, None for everywhere. The Unix socket is the
    control plane's own and always open to it. Names are quoted, so that no pool or user can
    be taken for a keyword such as ``all``.
    """
    lines = [f"local {_quote(CONSOLE_DATABASE)} {_quote(SUPERUSER)} scram-sha-256"]
    sources = EVERYWHERE if networks is None else networks
    for user, pools in sorted(_group_pools(entries).items()):
        who = f"{','.join(map(_quote, sorted(pools)))} {user}"
        lines.append(f"local {who} scram-sha-256")
        lines += [f"hostssl {who} {source} scram-sha-256" for source in sources]
    return _HEADER + "\n".join(lines) + "\n"


def _group_pools(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """The pools that each user, or ``all`` of them, may log in to."""
    pools: dict[str, list[str]] = {}
    for entry in entries:
        if entry.accepts_logins:
            user = "all" if entry.user is None else _quote(entry.user)
            pools.setdefault(user, []).append(entry.name)
    return pools


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
