"""The live stream: what open pages are told, when, and at what cost."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest

from poolkeeper.domain.errors import Unavailable
from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.status import PoolLoad
from poolkeeper.domain.tokens import CREATE, READ
from poolkeeper.panel import live as live_stream
from poolkeeper.panel import live_numbers
from poolkeeper.panel.live import Live, Numbers
from poolkeeper.panel.watchers import Watcher, parse_topics
from poolkeeper.usecases import sessions
from poolkeeper.usecases.pools import create_pool
from tests.panel.browsing import Browser, Panel

SHAPE = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 10)

pytestmark = pytest.mark.anyio


class Listener:
    """One open page, as a browser reads it."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []
        self.ended = False
        self.last_id = 0
        self._task = asyncio.create_task(self._read(stream))

    async def hear(self, event: str) -> dict[str, object]:
        """The next event of that name; those before it are forgotten."""
        async with asyncio.timeout(60):
            while True:
                while self.events:
                    name, data = self.events.pop(0)
                    if name == event:
                        return data
                await asyncio.sleep(0.01)

    def was_told(self, event: str) -> bool:
        """Whether it heard that and it was not asked for yet."""
        return any(name == event for name, _ in self.events)

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _read(self, stream: AsyncIterator[bytes]) -> None:
        async for chunk in stream:
            for frame in chunk.decode().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in frame.splitlines())
                self.last_id = int(fields.get("id", self.last_id))
                if "event" in fields:
                    data = json.loads(fields["data"])
                    found = data["numbers"] if fields["event"] == "live" else data
                    self.events.append((fields["event"], found))
        self.ended = True


def watch(panel: Panel, *clusters: UUID | None, session: str = "", after: int = 0) -> Watcher:
    """One browser in which a page of each is open."""
    topics = frozenset((cluster, None) for cluster in clusters)
    return Watcher(topics, session or sign_in(panel), after=after)


@asynccontextmanager
async def running(panel: Panel, calls: Counter[UUID] | None = None) -> AsyncIterator[Live]:
    """A broadcaster that counts how often it looks at each cluster."""

    def latest(cluster_id: UUID) -> Numbers:
        if calls is not None:
            calls[cluster_id] += 1
        return live_numbers.read_latest(panel.context, cluster_id)

    live = Live(panel.context, latest, lambda: live_numbers.summarise(panel.context))
    task = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def sign_in(panel: Panel) -> str:
    return sessions.sign_in(panel.context, panel.issue_token(READ))[1]


async def test_numbers_move(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    observations = panel.context.observations
    async with running(panel) as live:
        page = Listener(live.watch(watch(panel, cluster_id)))
        everything = Listener(live.watch(watch(panel, None)))
        assert (await page.hear("live"))["pools.backends"] == 0
        observations.put_loads(cluster_id, {"web": PoolLoad(7, 1, 3, 2, 0.51)})
        numbers = await page.hear("live")
        assert numbers["pool.web.clients_active"] == 7
        assert numbers["pool.web.maxwait_seconds"] == 0.51
        assert numbers["pools.backends"] == 5
        listed: dict[str, object] = {}
        while not listed:
            listed = await everything.hear("live")
        assert listed[f"cluster.{cluster_id}.backends"] == 5
        await page.close()
        await everything.close()


async def test_a_change_reaches_the_pages_it_concerns(panel: Panel) -> None:
    cluster_id, other_id = panel.create_cluster("main"), panel.create_cluster("other")
    async with running(panel) as live:
        page = Listener(live.watch(watch(panel, cluster_id)))
        elsewhere = Listener(live.watch(watch(panel, other_id)))
        everything = Listener(live.watch(watch(panel, None)))
        for each in (page, elsewhere, everything):
            await each.hear("live")
        await asyncio.to_thread(create_pool, panel.context, "cli", cluster_id, "web", SHAPE)
        async with asyncio.timeout(60):
            assert await page.hear("changed") == {"clusters": [str(cluster_id)]}
            assert await everything.hear("changed") == {"clusters": [str(cluster_id)]}
        assert not elsewhere.was_told("changed")
        created = panel.create_cluster("third")
        while str(created) not in str(await everything.hear("changed")):
            pass
        for each in (page, elsewhere, everything):
            await each.close()
        assert live.watchers == 0


def listen(live: Live, panel: Panel, cluster_id: UUID | None, after: int) -> Listener:
    return Listener(live.watch(watch(panel, cluster_id, after=after)))


async def test_what_was_changed_while_a_page_was_on_its_way_is_told(panel: Panel) -> None:
    cluster_id, other_id = panel.create_cluster("main"), panel.create_cluster("other")
    async with running(panel) as live:
        before = listen(live, panel, cluster_id, 0)
        await before.hear("live")
        read_at = live.last_change
        await asyncio.to_thread(create_pool, panel.context, "cli", cluster_id, "web", SHAPE)
        await before.hear("changed")
        late = listen(live, panel, cluster_id, read_at)
        everything = listen(live, panel, None, read_at)
        elsewhere = listen(live, panel, other_id, read_at)
        assert await late.hear("changed") == {"clusters": [str(cluster_id)]}
        assert str(cluster_id) in str(await everything.hear("changed"))
        await elsewhere.hear("live")
        assert not elsewhere.was_told("changed")
        for each in (before, late, everything, elsewhere):
            await each.close()


async def test_who_comes_back_is_told_what_was_missed_and_no_more(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    async with running(panel) as live:
        stays = listen(live, panel, cluster_id, 0)
        await stays.hear("live")
        known = stays.last_id
        await asyncio.to_thread(create_pool, panel.context, "cli", cluster_id, "web", SHAPE)
        await stays.hear("changed")
        while stays.last_id < live.last_change:
            await stays.hear("changed")
        missed = listen(live, panel, cluster_id, known)
        await missed.hear("changed")
        up_to_date = listen(live, panel, cluster_id, live.last_change)
        await up_to_date.hear("live")
        # Of an earlier control plane: what has happened since then is not known.
        older = listen(live, panel, cluster_id, known - 1_000_000)
        assert await older.hear("changed") == {"clusters": [str(cluster_id)]}
        for each in (stays, missed, up_to_date, older):
            await each.close()


def test_a_page_says_up_to_which_change_it_knows(panel: Panel) -> None:
    page = panel.browse_as(READ).get("/databases").text
    assert f'data-last-change="{panel.app.state.live.last_change}"' in page


@pytest.mark.parametrize(
    ("error", "said"),
    [(Unavailable("the store does not answer"), "live_paused"), (ValueError("odd"), "live_broke")],
)
async def test_what_stays_wrong_does_not_fill_the_log(
    panel: Panel,
    log: list[MutableMapping[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    said: str,
) -> None:
    rounds = 0

    def fail(context: object) -> NoReturn:
        nonlocal rounds
        rounds += 1
        raise error

    monkeypatch.setattr(live_stream, "read_marks", fail)
    monkeypatch.setattr(live_stream, "_TICK", 0.0)
    monkeypatch.setattr(live_stream, "_LOOK_EVERY", 0.0)
    async with running(panel) as live, asyncio.timeout(60):
        page = Listener(live.watch(watch(panel, None)))
        while rounds < 5:
            await asyncio.sleep(0.01)
        await page.close()
    assert [each["event"] for each in log if each["event"].startswith("live_")] == [said]


async def test_who_wakes_the_broadcaster_is_told_to_look_anew(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    async with running(panel) as live:
        first = Listener(live.watch(watch(panel, cluster_id)))
        assert await first.hear("changed") == {"clusters": [str(cluster_id)]}
        await first.close()


async def test_one_stream_is_enough_for_all_pages_of_a_browser(panel: Panel) -> None:
    ours, theirs = panel.create_cluster("main"), panel.create_cluster("other")
    unseen = panel.create_cluster("unseen")
    async with running(panel) as live:
        browser = Listener(live.watch(watch(panel, ours, theirs)))
        first, second = await browser.hear("live"), await browser.hear("live")
        assert "pools.backends" in first and "pools.backends" in second
        await asyncio.to_thread(create_pool, panel.context, "cli", unseen, "web", SHAPE)
        for cluster_id in (ours, theirs):
            await asyncio.to_thread(create_pool, panel.context, "cli", cluster_id, "web", SHAPE)
            while str(cluster_id) not in str(await browser.hear("changed")):
                pass
        await browser.close()


def test_an_address_names_what_several_pages_show() -> None:
    one, two = uuid4(), uuid4()
    both = [f"cluster={one}&pool=web", f"cluster={one}&pool=api", f"cluster={two}", ""]
    assert dict(parse_topics(urlencode([("for", each) for each in both]))) == {
        one: {"web", "api"},
        two: None,
        None: None,
    }
    assert parse_topics(f"cluster={one}&pool=&after=7") == {(one, frozenset({""}))}
    assert parse_topics("") == {(None, None)}
    with pytest.raises(ValueError, match="UUID"):
        parse_topics("for=cluster%3Dx")


async def test_what_concerns_no_cluster_reaches_the_lists(panel: Panel) -> None:
    async with running(panel) as live:
        everything = Listener(live.watch(watch(panel, None)))
        await everything.hear("live")
        # An event of the audit trail alone: somebody else signs in.
        await asyncio.to_thread(sign_in, panel)
        assert await everything.hear("changed") == {"clusters": []}
        await everything.close()


async def test_fifty_pages_cost_one_look(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    session = sign_in(panel)
    calls: Counter[UUID] = Counter()
    async with running(panel, calls) as live:
        pages = [Listener(live.watch(watch(panel, cluster_id, session=session))) for _ in range(50)]
        for page in pages:
            await page.hear("live")
        before, since = calls[cluster_id], time.monotonic()
        await asyncio.sleep(1.5)
        # About one a second, and a last one at the end, which may be late.
        assert calls[cluster_id] - before <= 1 + (time.monotonic() - since) / 0.8
        for page in pages:
            await page.close()


async def test_whoever_signs_out_elsewhere_is_told(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    leaving, staying = sign_in(panel), sign_in(panel)
    async with running(panel) as live:
        gone = Listener(live.watch(watch(panel, cluster_id, session=leaving)))
        stays = Listener(live.watch(watch(panel, cluster_id, session=staying)))
        await gone.hear("live")
        sessions.sign_out(panel.context, leaving)
        await gone.hear("ended")
        await gone.close()
        assert gone.ended and not stays.ended
        await stays.close()


async def test_open_pages_do_not_hold_up_the_end_of_the_server(panel: Panel) -> None:
    async with running(panel) as live:
        page = Listener(live.watch(watch(panel, None)))
        await page.hear("live")
        live.is_stopping = lambda: True
        async with asyncio.timeout(60):
            while not page.ended:
                await asyncio.sleep(0.01)


async def test_a_page_that_reads_nothing_is_not_remembered_for(panel: Panel) -> None:
    watcher = watch(panel, None)
    for number in range(1000):
        watcher.send(b"x" * number)
    assert len(watcher.pending) < 100


async def test_a_page_that_could_not_keep_up_looks_anew_once_it_reads_again(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    async with running(panel) as live:
        awake = Listener(live.watch(watch(panel, cluster_id)))
        await awake.hear("live")
        slow = watch(panel, cluster_id)
        stream = live.watch(slow)
        await anext(stream)
        for _ in range(1000):
            slow.send(b": too much\n\n")
        page = Listener(stream)
        assert await page.hear("changed") == {"clusters": [str(cluster_id)]}
        await awake.close()
        await page.close()


async def test_nobody_listens_without_being_signed_in(panel: Panel) -> None:
    browser = panel.browse()
    assert (await asyncio.to_thread(browser.get, "/live")).status_code == 401
    lacking = await asyncio.to_thread(panel.browse_as, READ)
    assert (await asyncio.to_thread(lacking.get, "/live?cluster=x")).status_code == 404
    creator = panel.browse()
    await asyncio.to_thread(creator.sign_in, panel.issue_token(CREATE))
    assert (await asyncio.to_thread(creator.get, f"/live?cluster={uuid4()}")).status_code == 403


async def test_a_page_of_who_was_signed_in_before_is_told_nothing(panel: Panel) -> None:
    browser = await asyncio.to_thread(panel.browse_as, READ)
    before = read_mark(browser)
    addresses = [f"{path}?visit={before}" for path in ("/live", "/live/ping")]
    assert (await asyncio.to_thread(browser.get, addresses[1])).status_code == 204
    await asyncio.to_thread(browser.send, "/sign-out")
    await asyncio.to_thread(browser.sign_in, panel.issue_token(READ))
    assert read_mark(browser) != before
    for address in addresses:
        assert (await asyncio.to_thread(browser.get, address)).status_code == 401


def read_mark(browser: Browser) -> str:
    """What tells the pages of this session from those of another."""
    found = re.search(r'data-visit="([0-9a-f]+)"', browser.get("/databases").text)
    assert found is not None
    return found[1]
