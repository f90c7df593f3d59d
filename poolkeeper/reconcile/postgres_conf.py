"""What is known of postgresql.conf: which one PostgreSQL started with, and which it would not.

Beside the file stand the last one that the server ran with (*proven*), and a note about one
that it does not start with (*refused*). They outlive the control plane, so that a server is
started all the same when it ends with a bad configuration in place, and a bad one is not tried
for ever.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from poolkeeper.engine.accounts import Account
from poolkeeper.engine.files import read_file, remove_file, write_if_changed
from poolkeeper.engine.layout import ClusterPaths


@dataclass(frozen=True)
class _Refusal:
    digest: str
    restart_generation: int
    reason: str


class PostgresConf:
    """The configuration of one cluster. Everything here raises OSError."""

    def __init__(self, paths: ClusterPaths, owner: Account | None) -> None:
        self._conf = paths.postgres_conf
        self._proven = paths.root / "postgresql.proven.conf"
        self._refused = paths.root / "postgresql.refused.json"
        self._owner = owner

    def choose(self, text: str, restart_generation: int) -> str:
        """The text, or the proven one if the server does not start with it. A restart that
        was asked for since is a reason to try once more."""
        if not self.explain(text, restart_generation):
            return text
        proven = read_file(self._proven)
        return text if proven is None else proven.decode()

    def explain(self, text: str, restart_generation: int) -> str:
        """Why the server does not start with this text; "" if that is not known."""
        refusal = self._read_refusal()
        if refusal is None or refusal.digest != _digest(text.encode()):
            return ""
        return refusal.reason if refusal.restart_generation >= restart_generation else ""

    def prove(self) -> None:
        """The server runs with what stands there."""
        standing = read_file(self._conf)
        if standing is not None:
            write_if_changed(self._proven, standing, owner=self._owner)

    def refuse(self, restart_generation: int, reason: str) -> bool:
        """The server does not start with what stands there: put the proven one in its place.

        False, and nothing is done, if there is no other.
        """
        standing, proven = read_file(self._conf) or b"", read_file(self._proven)
        if proven is None or proven == standing:
            return False
        refusal = _Refusal(_digest(standing), restart_generation, reason)
        note = json.dumps(asdict(refusal)) + "\n"
        write_if_changed(self._refused, note, owner=self._owner)
        write_if_changed(self._conf, proven, owner=self._owner)
        return True

    def pardon(self) -> None:
        """It was not the configuration's fault."""
        remove_file(self._refused)

    def _read_refusal(self) -> _Refusal | None:
        content = read_file(self._refused)
        try:
            return None if content is None else _Refusal(**json.loads(content))
        except (ValueError, TypeError):
            return None


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
