"""A question that is asked again and again, and may take long or fail."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Generic, Protocol, TypeVar

import structlog

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.errors import EngineError

_LONGEST_BACKOFF = 8.0

_log = structlog.get_logger("poolkeeper.metrics")

Answer = TypeVar("Answer", covariant=True)


class Source(Protocol[Answer]):
    """Raises EngineError when it has no answer, and has let go of its connection then."""

    def read(self, desired: Desired) -> Answer: ...

    def close(self) -> None: ...


class Errand(Generic[Answer]):
    """Never asked twice at once; asked less often while it fails."""

    def __init__(self, source: Source[Answer], clock: Callable[[], float]) -> None:
        self._source = source
        self._clock = clock
        self._future: Future[Answer | None] | None = None
        self._failures = 0
        self._not_before = 0.0

    def send(self, workers: Executor, desired: Desired) -> Future[Answer | None] | None:
        """Ask, unless the last question is still open or it is too early after a failure.

        The answer is None if there was none.
        """
        is_open = self._future is not None and not self._future.done()
        if is_open or self._clock() < self._not_before:
            return None
        self._future = workers.submit(self._ask, desired)
        return self._future

    def close(self, workers: Executor) -> None:
        """Let go of the connection, after the question that may be open."""
        if self._future is None or self._future.done():
            workers.submit(self._source.close)
        else:
            self._future.add_done_callback(lambda _: self._source.close())

    def _ask(self, desired: Desired) -> Answer | None:
        try:
            answer = self._source.read(desired)
        except EngineError:
            self._back_off()
            return None
        except Exception:
            _log.exception("sample_broke", cluster_id=str(desired.cluster.id))
            self._source.close()
            self._back_off()
            return None
        self._failures = 0
        return answer

    def _back_off(self) -> None:
        # Less than a second at first: the next second is to be tried.
        pause = min(0.5 * 2**self._failures, _LONGEST_BACKOFF)
        self._failures += 1
        self._not_before = self._clock() + pause
