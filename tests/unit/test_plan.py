"""What a change of a pool means for those who are connected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from poolkeeper.domain.plan import Clients, PoolPlan, plan_change
from poolkeeper.domain.pools import PoolFacts, PoolMode, PoolShape

POOL = PoolShape("shop", "app", PoolMode.TRANSACTION, 5)
SESSION = replace(POOL, mode=PoolMode.SESSION)
FACTS = PoolFacts(22, frozenset({"shop"}), frozenset({"app"}), {"other": 3})


def plan(
    before: PoolShape, after: PoolShape, connected: int | None = 9, limit: int = 120
) -> PoolPlan:
    return plan_change(before, after, FACTS, Clients(connected, limit))


class TestMoreClientsThanASessionPoolHasBackends:
    def test_those_who_find_no_backend_are_counted(self) -> None:
        planned = plan(POOL, SESSION)
        [warning] = planned.warnings
        assert (planned.clients, planned.disconnects) == (9, 0)
        assert "9 clients are connected" in warning
        assert "4 of them find none among 5" in warning
        assert "cut after 120 s (query_wait_timeout)" in warning

    def test_without_a_limit_they_wait(self) -> None:
        [warning] = plan(POOL, SESSION, limit=0).warnings
        assert "wait for ever if need be" in warning and "cut" not in warning

    def test_unseen_clients_may_be_too_many(self) -> None:
        planned = plan(POOL, SESSION, connected=None)
        assert planned.clients is None
        assert "How many are connected is not known" in planned.warnings[0]

    @pytest.mark.parametrize(
        ("before", "after", "connected"),
        [
            (POOL, SESSION, 5),
            (POOL, replace(SESSION, size=9), 9),
            (POOL, replace(POOL, size=1), 9),
            (SESSION, replace(SESSION, size=6), 9),
            (SESSION, POOL, 9),
        ],
    )
    def test_nobody_waits_longer(self, before: PoolShape, after: PoolShape, connected: int) -> None:
        assert plan(before, after, connected).warnings == ()

    def test_a_session_pool_that_shrinks_keeps_them_waiting(self) -> None:
        assert "6 of them find none among 3" in plan(SESSION, replace(SESSION, size=3)).warnings[0]


def test_a_statement_pool_cuts_transactions() -> None:
    [warning] = plan(POOL, replace(POOL, mode=PoolMode.STATEMENT)).warnings
    assert "its client cut" in warning
