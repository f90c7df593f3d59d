"""Wake-ups within one process, between the front and the reconciler.

They only shorten a sleep: both sides read the store to learn what there is to do, and
look again now and then in case a wake-up was missed or came from another process.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from uuid import UUID


class Changes:
    """The front announces what is wanted, the reconciler publishes what is done.

    Before it has all of it to publish, it tells of each step, so that whoever waits behind
    others knows that they get on.
    """

    def __init__(self) -> None:
        self._published = threading.Condition()
        self._versions: defaultdict[UUID, int] = defaultdict(int)
        self._steps: defaultdict[UUID, int] = defaultdict(int)
        self._count = 0
        self._callbacks: tuple[Callable[[UUID], None], ...] = ()

    def announce(self, cluster_id: UUID) -> None:
        """Tell the subscribers that something is wanted of a cluster; call after the commit."""
        for callback in self._callbacks:
            callback(cluster_id)

    def subscribe(self, callback: Callable[[UUID], None]) -> None:
        """Have a callback run by each ``announce``, in its thread: it must be quick."""
        with self._published:
            self._callbacks += (callback,)

    def publish(self, cluster_id: UUID) -> None:
        """Wake who waits for a cluster's status; call after the commit."""
        with self._published:
            self._versions[cluster_id] += 1
            self._count += 1
            self._published.notify_all()

    def step(self, cluster_id: UUID) -> None:
        """Note that one of the things that are wanted of a cluster was done; wakes nobody."""
        with self._published:
            self._steps[cluster_id] += 1

    def steps(self, cluster_id: UUID) -> int:
        """How many steps were noted."""
        with self._published:
            return self._steps.get(cluster_id, 0)

    def count(self) -> int:
        """How often the status of any cluster was published."""
        with self._published:
            return self._count

    def version(self, cluster_id: UUID) -> int:
        """How often a cluster's status was published. Ask *before* you read the status."""
        with self._published:
            return self._versions.get(cluster_id, 0)

    def wait_beyond(self, cluster_id: UUID, version: int, timeout: float) -> int:
        """Wait until more has been published than at that version, or the time is over.

        Returns the version then, which is still the given one if nothing came.
        """
        with self._published:
            self._published.wait_for(
                lambda: self._versions.get(cluster_id, 0) > version, max(timeout, 0)
            )
            return self._versions.get(cluster_id, 0)
