"""Who changes the same thing at once does so one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from poolkeeper.domain.errors import Unavailable


class Turns:
    """Whose turn it is to change a thing, such as ``pool:web``. For any thread.

    A change that may yet be taken back is nothing to build on: who asked for the same would be
    told that it is in force, and who changed it further would take his own back to that.
    In memory: what a control plane did not finish, nobody takes back.
    """

    def __init__(self) -> None:
        self._ended = threading.Condition()
        self._holders: dict[tuple[UUID, str], object] = {}

    @contextmanager
    def take(self, cluster_id: UUID, subject: str, patience: float) -> Iterator[None]:
        """Wait for one's turn, so many seconds after anybody had his; it ends with the block.

        Raises Unavailable if it does not come.
        """
        key = cluster_id, subject
        with self._ended:
            while (holder := self._holders.get(key)) is not None:
                if not self._ended.wait_for(lambda: self._holders.get(key) is not holder, patience):
                    raise Unavailable(
                        f"another change of {subject.replace(':', ' ')} is still under way, and"
                        " nothing was applied; try again"
                    )
            self._holders[key] = object()
        try:
            yield
        finally:
            with self._ended:
                del self._holders[key]
                self._ended.notify_all()
