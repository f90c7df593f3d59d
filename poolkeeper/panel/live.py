"""What is open in a browser stays true: one stream of server-sent events for each browser.

::

    event: live       {"cluster": "…",                    each second, those that differ; without
                       "numbers": {"pool.web.…": 3, …}}   cluster ("") those of the list of all
    event: changed    {"clusters": ["…"]}                 something was changed, by anybody;
                                                          it has an id, for who comes back
    event: ended      {}                                  no longer signed in

One broadcaster looks, once for all who watch: numbers are worded once for each second and
topic, which is a cluster and those of its pools that pages show. Who comes is told all of
them, and after that what is another number than before. Who comes is told, too, what was
changed since its page was read, or since it was here last. The broadcaster sleeps once nobody
has watched for a while; whoever wakes it is told to look anew, whatever happened.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TypeVar
from uuid import UUID

import anyio.to_thread
import structlog
from anyio import CapacityLimiter

from poolkeeper.domain.errors import PoolkeeperError, Unauthenticated
from poolkeeper.panel.recent_changes import RecentChanges
from poolkeeper.panel.watchers import Topic, Watcher
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.sessions import find_session
from poolkeeper.usecases.watching import Marks, read_marks

Numbers = Mapping[str, float | int | None]
Latest = Callable[[UUID], Numbers]
Summarise = Callable[[], Mapping[UUID, Numbers]]

_TICK = 0.25
# As soon as there is a new sample; where none comes, what the reconciler saw is told.
_NUMBERS_EVERY = 1.0
_LOOK_EVERY = 1.0
_CHECK_SESSIONS_EVERY = 5.0
# A browser that hears nothing for three times as long takes us for gone.
_BEAT_EVERY = 5.0
# What goes wrong does so in each round, and would fill the log.
_SAY_TROUBLE_EVERY = 60.0
# Who goes from page to page comes back sooner.
_STAY_AWAKE = 15.0
MOST_WATCHERS = 1000
# A browser needs one, whatever it has open; one that went wrong must not keep others out.
MOST_OF_A_SESSION = 50

_Result = TypeVar("_Result")

_log = structlog.get_logger("poolkeeper.panel")


class Live:
    """The broadcaster. ``latest``: the numbers of a cluster; ``summarise``: those of the list.

    ``is_stopping``: whether the server is about to end, which streams must not hold up.
    """

    def __init__(self, context: Context, latest: Latest, summarise: Summarise) -> None:
        self._context = context
        self._latest = latest
        self._summarise = summarise
        self._watchers: set[Watcher] = set()
        self._somebody = asyncio.Event()
        self._thread = CapacityLimiter(1)
        self._marks: Marks | None = None
        self._seen = -1
        self._recent = RecentChanges()
        self._awake_until = 0.0
        self._told: dict[Topic, Numbers] = {}
        self._newest = 0
        self._due = dict.fromkeys(("numbers", "look", "sessions", "beat", "trouble"), 0.0)
        self.is_stopping: Callable[[], bool] = lambda: False

    def has_room(self, session: str) -> bool:
        """For one more watcher, of this session."""
        own = sum(watcher.session == session for watcher in self._watchers)
        return len(self._watchers) < MOST_WATCHERS and own < MOST_OF_A_SESSION

    @property
    def last_change(self) -> int:
        """The id of the newest change that is known: what is read from now on has it in it."""
        return self._recent.last

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    async def watch(self, watcher: Watcher) -> AsyncIterator[bytes]:
        """What an open page is told, until it is closed."""
        self._catch_up(watcher)
        self._watchers.add(watcher)
        self._somebody.set()
        try:
            yield f"retry: 1000\nid: {self._recent.last}\n\n".encode()
            while not (watcher.ended and not watcher.pending):
                await watcher.woken.wait()
                watcher.woken.clear()
                frames = b"".join(watcher.pending)
                watcher.pending.clear()
                if frames:
                    yield frames
        finally:
            self._watchers.discard(watcher)
            self._awake_until = time.monotonic() + _STAY_AWAKE

    async def run(self) -> None:
        """Look and tell, until cancelled."""
        while True:
            await self._somebody.wait()
            try:
                await self._look_around()
            except Exception as error:
                self._say_trouble(error)
            if not self._watchers and time.monotonic() > self._awake_until:
                self._fall_asleep()
            await asyncio.sleep(_TICK)

    def _fall_asleep(self) -> None:
        self._marks, self._seen = None, -1
        self._somebody.clear()

    def _say_trouble(self, error: Exception) -> None:
        if not self._is_due("trouble", _SAY_TROUBLE_EVERY):
            return
        if isinstance(error, PoolkeeperError):
            _log.warning("live_paused", reason=str(error))
        else:
            _log.error("live_broke", exc_info=error)

    async def _look_around(self) -> None:
        if self.is_stopping():
            for watcher in self._watchers:
                watcher.end()
            return
        count = self._context.changes.count()
        if count != self._seen or self._is_due("look", _LOOK_EVERY):
            self._seen = count
            await self._tell_changes()
        if self._is_time_for_numbers():
            self._tell_numbers()
        if self._is_due("sessions", _CHECK_SESSIONS_EVERY):
            await self._end_sessions()

    def _catch_up(self, watcher: Watcher) -> None:
        """Tell what the page cannot know. Whoever wakes us is told by the first look."""
        if self._marks is None:
            return
        missed = self._recent.list_missed(watcher.after)
        clusters = watcher.clusters if missed is None else frozenset[UUID]().union(*missed)
        if missed is None or (missed and watcher.concerns(clusters)):
            watcher.send(self._word_change(clusters))

    async def _tell_changes(self) -> None:
        before = self._marks
        self._marks = await self._in_thread(lambda: read_marks(self._context))
        if before is None:
            self._recent.begin()
            for watcher in self._watchers:
                watcher.send(self._word_change(watcher.clusters))
        elif before != self._marks:
            changed = self._marks.compare(before)
            self._recent.add(changed)
            frame = self._word_change(changed)
            for watcher in self._watchers:
                if watcher.concerns(changed):
                    watcher.send(frame)

    def _word_change(self, clusters: Iterable[UUID]) -> bytes:
        frame = _frame("changed", {"clusters": [str(each) for each in sorted(clusters)]})
        return f"id: {self._recent.last}\n".encode() + frame

    def _tell_numbers(self) -> None:
        beat = self._is_due("beat", _BEAT_EVERY)
        wanted = {topic for watcher in self._watchers for topic in watcher.topics}
        numbers = self._read_topics(wanted)
        news = {topic: _compare(self._told.get(topic, {}), numbers[topic]) for topic in numbers}
        frames = {topic: _word_numbers(topic, found) for topic, found in news.items()}
        whole: dict[Topic, bytes] = {}
        for watcher in self._watchers:
            if watcher.needs_all and not watcher.pending:
                for topic in watcher.topics:
                    if topic not in whole:
                        whole[topic] = _word_numbers(topic, numbers[topic])
                self._tell_all(watcher, b"".join(whole[topic] for topic in watcher.topics))
            else:
                for topic in watcher.topics:
                    if beat or news[topic]:
                        watcher.send(frames[topic])
        self._told = numbers

    def _tell_all(self, watcher: Watcher, frames: bytes) -> None:
        watcher.needs_all = False
        watcher.send(frames)
        if watcher.fell_behind:
            watcher.fell_behind = False
            watcher.send(self._word_change(watcher.clusters))

    def _read_topics(self, topics: set[Topic]) -> dict[Topic, Numbers]:
        """The numbers of each topic; each cluster is looked at once."""
        clusters = {cluster for cluster, _ in topics}
        found = {cluster: self._read(cluster) for cluster in clusters}
        return {
            (cluster, pools): found[cluster] if pools is None else _pick(found[cluster], pools)
            for cluster, pools in topics
        }

    def _read(self, cluster: UUID | None) -> Numbers:
        if cluster is not None:
            return self._latest(cluster)
        return {
            f"cluster.{each}.{name}": value
            for each, found in self._summarise().items()
            for name, value in found.items()
        }

    def _is_time_for_numbers(self) -> bool:
        newest = self._context.samples.wait_beyond(0, 0)
        if newest == self._newest:
            return self._is_due("numbers", _NUMBERS_EVERY)
        self._newest = newest
        # Only if no sample comes for longer than one should take.
        self._due["numbers"] = time.monotonic() + 2 * _NUMBERS_EVERY
        return True

    async def _end_sessions(self) -> None:
        values = {watcher.session for watcher in self._watchers}
        over = await self._in_thread(lambda: self._find_over(values))
        for watcher in self._watchers:
            if watcher.session in over:
                watcher.end(_frame("ended", {}))

    def _find_over(self, values: set[str]) -> set[str]:
        over = set()
        for value in values:
            try:
                find_session(self._context, value, touch=False)
            except Unauthenticated:
                over.add(value)
        return over

    async def _in_thread(self, action: Callable[[], _Result]) -> _Result:
        # A thread of its own: those of requests may all be waiting for the reconciler.
        return await anyio.to_thread.run_sync(action, limiter=self._thread)

    def _is_due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + every - _TICK / 2
        return True


def _word_numbers(topic: Topic, numbers: Numbers) -> bytes:
    return _frame("live", {"cluster": str(topic[0] or ""), "numbers": numbers})


def _frame(event: str, data: object) -> bytes:
    return f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def _compare(before: Numbers, now: Numbers) -> dict[str, float | int | None]:
    """What is another number than before; null for what is not there any more."""
    news = {name: value for name, value in now.items() if before.get(name, ...) != value}
    return news | dict.fromkeys(before.keys() - now.keys())


def _pick(numbers: Numbers, pools: frozenset[str]) -> Numbers:
    """Without the numbers of other pools."""
    return {
        name: value
        for name, value in numbers.items()
        if not name.startswith("pool.") or name.split(".", 2)[1] in pools
    }
