"""How clients reach a cluster or a pool: the connection object of the API."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

PROTOCOL = "postgresql"


@dataclass(frozen=True)
class Connection:
    """Where and as whom to connect; ``uri`` is what psql and every driver take.

    For a pool, ``database`` is the pool's name. An inbound pool has no user and no
    password; without the right to see it, the password is empty.
    """

    host: str
    port: int
    database: str
    user: str
    password: str

    @property
    def uri(self) -> str:
        """``sslmode=require``: plain connections are refused."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            f"{PROTOCOL}://{quote(self.user, safe='')}:{quote(self.password, safe='')}"
            f"@{host}:{self.port}/{quote(self.database, safe='')}?sslmode=require"
        )
