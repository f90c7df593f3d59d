"""Wake-ups between threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from poolkeeper.store.changes import Changes

CLUSTER = uuid4()


def test_an_announcement_reaches_every_subscriber() -> None:
    changes, heard = Changes(), list[tuple[str, UUID]]()
    changes.announce(CLUSTER)
    changes.subscribe(lambda id: heard.append(("a", id)))
    changes.subscribe(lambda id: heard.append(("b", id)))
    changes.announce(CLUSTER)
    assert heard == [("a", CLUSTER), ("b", CLUSTER)]


def test_a_subscriber_may_use_the_changes_itself() -> None:
    changes = Changes()
    changes.subscribe(changes.publish)
    changes.announce(CLUSTER)
    assert changes.version(CLUSTER) == 1


def test_versions_are_of_one_cluster() -> None:
    changes = Changes()
    changes.publish(CLUSTER)
    changes.publish(CLUSTER)
    assert (changes.version(CLUSTER), changes.version(uuid4())) == (2, 0)


def test_what_was_published_before_the_wait_is_not_missed() -> None:
    changes = Changes()
    seen = changes.version(CLUSTER)
    changes.publish(CLUSTER)
    assert changes.wait_beyond(CLUSTER, seen, timeout=60) == 1


def test_a_wait_ends_with_the_time() -> None:
    changes = Changes()
    changes.publish(CLUSTER)
    started = time.monotonic()
    assert changes.wait_beyond(CLUSTER, 1, timeout=0.02) == 1
    assert time.monotonic() - started >= 0.02
    assert changes.wait_beyond(CLUSTER, 1, timeout=-1) == 1


def test_a_publication_of_another_cluster_does_not_end_a_wait() -> None:
    changes, other = Changes(), uuid4()
    with ThreadPoolExecutor() as threads:
        waiter = threads.submit(changes.wait_beyond, CLUSTER, 0, 60)
        changes.publish(other)
        assert not waiter.done()
        changes.publish(CLUSTER)
        assert waiter.result(timeout=60) == 1


def test_no_wake_up_is_lost_between_twenty_waiters_and_one_publisher() -> None:
    changes = Changes()
    total = 200
    start = threading.Barrier(21)

    def follow() -> int:
        start.wait(timeout=60)
        seen = changes.version(CLUSTER)
        while seen < total:
            after = changes.wait_beyond(CLUSTER, seen, timeout=60)
            assert after > seen
            seen = after
        return seen

    with ThreadPoolExecutor(20) as threads:
        waiters = [threads.submit(follow) for _ in range(20)]
        start.wait(timeout=60)
        for _ in range(total):
            changes.publish(CLUSTER)
        assert [waiter.result(timeout=60) for waiter in waiters] == [total] * 20
