"""When a restart is due, what a cluster's status is, and what it has to give meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolkeeper.domain.clusters import (
    Cluster,
    ClusterStatus,
    MaintenanceWindow,
    Ports,
    parse_resize_request,
    plan_storage,
)
from poolkeeper.domain.config_plan import plan_config
from poolkeeper.domain.errors import InvalidField, InvalidRequest, SizeTooSmall
from poolkeeper.domain.maintenance import (
    DAYS,
    DURATION,
    RestartCause,
    decide_restart,
    describe_pending,
    find_next_restart,
    find_opening,
    is_patience_over,
    parse_window,
)
from poolkeeper.domain.sizes import parse_size
from poolkeeper.domain.status import ClusterState, Phase, count_budget, tell_status
from tests.unit.test_postgres_render import CLUSTER

# A Sunday.
SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)
NOON = SUNDAY + timedelta(hours=12)
STATE = ClusterState(CLUSTER.id, Phase.ACTIVE, "", SUNDAY, was_online=True)
PENDING = replace(STATE, pending=("restart PostgreSQL to apply max_connections",))


class TestWindow:
    @pytest.mark.parametrize(
        ("day", "hour", "shown"),
        [
            ("sunday", "03:00", ("sunday", "03:00:00")),
            ("Tuesday", "23:59:58", ("tuesday", "23:59:58")),
        ],
    )
    def test_it_is_shown_in_full(self, day: str, hour: str, shown: tuple[str, str]) -> None:
        assert parse_window(day, hour) == MaintenanceWindow(*shown)

    @pytest.mark.parametrize(
        ("day", "hour"),
        [
            *(("someday", "03:00"), ("", "03:00"), ("sunday", "24:00"), ("sunday", "3:00")),
            *(("sunday", "03"), ("sunday", "03:60"), ("sunday", "03:00:60"), ("sunday", " 03:00")),
            *(("sunday", ""), ("sunday", "03:00\n"), ("sunday", "0\u0663:00")),
        ],
    )
    def test_what_is_no_day_or_no_time_is_refused(self, day: str, hour: str) -> None:
        with pytest.raises(InvalidField):
            parse_window(day, hour)

    @pytest.mark.parametrize(
        ("now", "is_open"),
        [
            (SUNDAY + timedelta(hours=22, minutes=59, seconds=59), False),
            (SUNDAY + timedelta(hours=23), True),
            # Into Monday, which is the next week.
            (SUNDAY + timedelta(hours=26, minutes=59), True),
            (SUNDAY + timedelta(hours=27), False),
            (SUNDAY - timedelta(days=7) + timedelta(hours=24), True),
        ],
    )
    def test_it_is_open_for_four_hours(self, now: datetime, is_open: bool) -> None:
        opening = find_opening(MaintenanceWindow("sunday", "23:00:00"), now)
        assert (opening is not None) is is_open
        if opening is not None:
            assert opening <= now < opening + DURATION
            assert (opening.weekday(), opening.hour) == (6, 23)

    @given(
        st.sampled_from(DAYS),
        st.times(),
        st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)),
    )
    def test_it_is_open_once_a_week(self, day: str, hour: object, now: datetime) -> None:
        window = parse_window(day, f"{hour:%H:%M:%S}")
        moments = [now.replace(tzinfo=UTC) + timedelta(hours=each) for each in range(7 * 24)]
        openings = [find_opening(window, moment) for moment in moments]
        assert sum(opening is not None for opening in openings) == 4


class TestDecideRestart:
    WINDOW = replace(CLUSTER, maintenance=MaintenanceWindow("sunday", "11:00:00"))

    def decide(
        self, cluster: Cluster, state: ClusterState, up: timedelta = timedelta(days=9)
    ) -> RestartCause | None:
        return decide_restart(cluster, state, NOON - up, NOON)

    def test_nothing_pending_nothing_due(self) -> None:
        assert self.decide(replace(self.WINDOW, restart_generation=7), STATE) is None

    def test_asked_for_it_is_due_until_it_was_made(self) -> None:
        asked = replace(CLUSTER, restart_generation=7)
        assert self.decide(asked, PENDING) is RestartCause.ASKED
        assert self.decide(asked, replace(PENDING, restarted_generation=7)) is None

    def test_the_window_has_one_restart(self) -> None:
        assert self.decide(CLUSTER, PENDING) is None
        assert self.decide(self.WINDOW, PENDING) is RestartCause.WINDOW
        assert self.decide(self.WINDOW, PENDING, timedelta(minutes=59)) is None


@pytest.mark.parametrize(
    ("started", "restart"),
    [
        (None, timedelta(hours=-1)),
        (timedelta(days=-9), timedelta(hours=-1)),
        # It has had its restart.
        (timedelta(minutes=-59), timedelta(days=7, hours=-1)),
    ],
)
def test_a_change_of_settings_is_planned(started: timedelta | None, restart: timedelta) -> None:
    window = MaintenanceWindow("sunday", "11:00:00")
    started_at = None if started is None else NOON + started
    plan = plan_config(["jit", "max_wal_senders"], window, started_at, NOON)
    assert (plan.live, plan.waiting) == (("jit",), ("max_wal_senders",))
    assert (plan.restart_at, plan.is_due) == (NOON + restart, restart < timedelta(0))


@given(st.sampled_from(DAYS), st.times(), st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)))
def test_the_next_restart_is_at_an_opening(day: str, hour: object, at: datetime) -> None:
    now = at.replace(tzinfo=UTC)
    window = parse_window(day, f"{hour:%H:%M:%S}")
    restart = find_next_restart(window, None, now)
    assert find_opening(window, restart) == restart
    assert -DURATION < restart - now <= timedelta(days=7)
    # PostgreSQL has been restarted in it: the next one is a week later.
    made = max(now, restart)
    assert find_next_restart(window, made, made) == restart + timedelta(days=7)


def test_what_waits_is_told_in_sentences() -> None:
    assert describe_pending((), "15.14", "15.14") == ()
    assert describe_pending(("a", "b"), "15.14", "15.15") == (
        "restart PostgreSQL to apply a, b",
        "PostgreSQL 15.15 is installed, 15.14 runs",
    )


def test_status() -> None:
    assert tell_status(CLUSTER, None) is ClusterStatus.CREATING
    assert tell_status(CLUSTER, replace(STATE, was_online=False)) is ClusterStatus.CREATING
    assert tell_status(CLUSTER, STATE) is ClusterStatus.ONLINE
    # A restart that was asked for is no resize.
    assert tell_status(replace(CLUSTER, restart_generation=9), STATE) is ClusterStatus.ONLINE
    resized = replace(CLUSTER, resize_generation=9, restart_generation=9)
    assert tell_status(resized, STATE) is ClusterStatus.RESIZING
    made = replace(STATE, restarted_generation=9)
    assert tell_status(resized, made) is ClusterStatus.ONLINE


@pytest.mark.parametrize(
    ("slug", "max_connections", "budget"),
    [
        ("db-s-2vcpu-4gb", 0, 97),
        ("db-s-2vcpu-4gb", 100, 97),
        ("db-s-2vcpu-4gb", 25, 22),
        ("db-s-1vcpu-1gb", 100, 22),
    ],
)
def test_the_budget_is_the_smaller_one(slug: str, max_connections: int, budget: int) -> None:
    cluster = replace(CLUSTER, size=parse_size(slug))
    assert count_budget(cluster, None) == cluster.budget
    assert count_budget(cluster, replace(STATE, max_connections=max_connections)) == budget


def test_a_size_that_is_too_small_is_refused_with_the_sum() -> None:
    error = SizeTooSmall("db-s-1vcpu-1gb", 22, {"web": 20, "jobs": 10})
    assert str(error) == (
        "size: db-s-1vcpu-1gb has 22 backend connections, the pools hold 30 (jobs 10, web 20);"
        " delete some or make them smaller first"
    )
    assert (error.asked, error.total) == (0, 22)


class TestPatience:
    WINDOW = MaintenanceWindow("sunday", "03:00:00")

    @pytest.mark.parametrize(
        ("cause", "waited", "hour", "over"),
        [
            (RestartCause.ASKED, 29, 12.0, False),
            (RestartCause.ASKED, 30, 12.0, True),
            # Also if the window happens to be open.
            (RestartCause.ASKED, 30, 3.1, True),
            (RestartCause.WINDOW, 30, 3.1, False),
            (RestartCause.WINDOW, 3.8 * 3600, 6.8, False),
            (RestartCause.WINDOW, 3.9 * 3600, 6.9, True),
            # Whoever came in the last minutes is not cut at once.
            (RestartCause.WINDOW, 29, 6.9, False),
        ],
    )
    def test_a_window_is_used_up(
        self, cause: RestartCause, waited: float, hour: float, over: bool
    ) -> None:
        now = SUNDAY + timedelta(hours=hour)
        assert is_patience_over(cause, self.WINDOW, waited, 30, now) is over


class TestStorage:
    CLUSTER = Cluster(
        CLUSTER.id, "main", "15", parse_size("db-s-1vcpu-2gb"), "nyc1", Ports(25060), 40_000, (),
        "", "", SUNDAY, 1,
    )  # fmt: skip

    @pytest.mark.parametrize(
        ("slug", "asked", "planned"),
        [
            ("db-s-1vcpu-1gb", None, 40_000),
            ("db-s-1vcpu-1gb", 0, 40_000),
            ("db-s-1vcpu-1gb", 40_000, 40_000),
            ("db-s-2vcpu-4gb", None, 60 * 1024),
            ("db-s-2vcpu-4gb", 70_000, 70_000),
        ],
    )
    def test_it_never_shrinks(self, slug: str, asked: int | None, planned: int) -> None:
        request = parse_resize_request(size=slug, num_nodes=1, storage_size_mib=asked)
        assert plan_storage(self.CLUSTER, request) == planned

    def test_less_is_refused(self) -> None:
        request = parse_resize_request(size="db-s-1vcpu-1gb", num_nodes=1, storage_size_mib=39_999)
        with pytest.raises(InvalidField, match="storage cannot shrink"):
            plan_storage(self.CLUSTER, request)

    def test_less_than_the_size_comes_with_is_refused(self) -> None:
        request = parse_resize_request(size="db-s-2vcpu-4gb", num_nodes=1, storage_size_mib=50_000)
        with pytest.raises(InvalidField, match="comes with 61440"):
            plan_storage(self.CLUSTER, request)

    @pytest.mark.parametrize(("slug", "nodes"), [("db-s-1vcpu-1gb", 2), ("xxl", 1)])
    def test_what_cannot_be_had_is_refused(self, slug: str, nodes: int) -> None:
        with pytest.raises(InvalidRequest):
            parse_resize_request(size=slug, num_nodes=nodes, storage_size_mib=None)
