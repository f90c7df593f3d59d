"""``pg_hba.conf`` as text: who may connect past the pools, and from where."""

from __future__ import annotations

from collections.abc import Sequence

from poolkeeper.domain.firewall import EVERYWHERE, Network
from poolkeeper.domain.names import SUPERUSER

MAP = "pooler"
"""The user name map in pg_ident.conf by which PgBouncer becomes its clients' users."""

_HEADER = f"""\
# Written by Poolkeeper; an edit made here is lost.
# Who matches no line is refused: whoever comes over the network without TLS is one of them.

# TYPE   DATABASE     USER        ADDRESS      METHOD
local    all          {SUPERUSER}               scram-sha-256
local    all          all                      peer map={MAP}
"""


def render_hba(networks: Sequence[Network] | None) -> str:
    """The whole file: TLS and SCRAM over the network, and no superuser there.

    ``networks``: from where clients and replicas may come, None for everywhere. Over the Unix
    socket the superuser comes with its password, the account of the servers as one of the
    users in pg_ident.conf, and nobody else.
    """
    sources = EVERYWHERE if networks is None else networks
    lines = []
    for database in ("all", "replication"):
        lines += [("host", database, SUPERUSER, str(each), "reject") for each in EVERYWHERE]
        lines += [("hostssl", database, "all", str(each), "scram-sha-256") for each in sources]
    return _HEADER + "".join(
        f"{type_:<7}  {database:<11}  {user:<10}  {source:<11}  {method}\n"
        for type_, database, user, source, method in lines
    )
