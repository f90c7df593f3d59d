"""The lists of users and databases: what is looked for, and the page of each that is shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from poolkeeper.domain.clusters import DEFAULT_DATABASE, DEFAULT_USER
from poolkeeper.domain.pools import Pool
from poolkeeper.domain.users import ShownUser
from poolkeeper.panel.paging import Slice, cut_slice

# With fewer, nobody needs to look for one.
_FEW = 10


@dataclass(frozen=True)
class Lists:
    """``users`` and ``databases``, each with the names of the pools that use it; ``inbound``:
    the pools that let every user in. ``query``: what was looked for."""

    users: Slice[tuple[ShownUser, Sequence[str]]]
    databases: Slice[tuple[str, Sequence[str]]]
    inbound: Sequence[str]
    query: str

    @property
    def are_many(self) -> bool:
        return bool(self.query) or max(self.users.total, self.databases.total) > _FEW

    def link(self, *, users: int = 0, dbs: int = 0) -> str:
        """``?…`` for these lists, one of them turned to another page."""
        pages = {"users": users or self.users.page, "dbs": dbs or self.databases.page}
        turned = {name: str(page) for name, page in pages.items() if page > 1}
        return "?" + urlencode({"q": self.query} | turned if self.query else turned)


def cut_lists(
    users: Sequence[ShownUser],
    databases: Sequence[str],
    pools: Sequence[Pool],
    *,
    query: str,
    users_page: str,
    databases_page: str,
) -> Lists:
    """The pages that were asked for, of what has the query in its name."""
    by_user: dict[str | None, list[str]] = defaultdict(list)
    by_database: dict[str, list[str]] = defaultdict(list)
    for pool in sorted(pools, key=lambda pool: pool.name):
        by_user[pool.shape.user].append(pool.name)
        by_database[pool.shape.db].append(pool.name)
    wanted = query.strip().lower()
    # What belongs to the cluster comes first, the others by name.
    by_name = sorted(users, key=lambda user: (user.name != DEFAULT_USER, user.name.lower()))
    found_users = [(user, by_user[user.name]) for user in by_name if wanted in user.name.lower()]
    names = sorted(databases, key=lambda name: (name != DEFAULT_DATABASE, name.lower()))
    found_databases = [(name, by_database[name]) for name in names if wanted in name.lower()]
    return Lists(
        cut_slice(found_users, len(users), users_page),
        cut_slice(found_databases, len(databases), databases_page),
        by_user[None],
        query,
    )
