"""Who the clients are: counted by pool and application, bounded whatever they call themselves."""

from __future__ import annotations

from datetime import UTC, datetime

from poolkeeper.domain.status import ApplicationClients
from poolkeeper.engine.pgbouncer.shown import ServedClient
from poolkeeper.metrics.clients import MOST_APPLICATIONS, count_clients, pause_after

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_clients_are_counted_by_what_they_do() -> None:
    found = count_clients(
        [
            ServedClient("web", "shop", "active", 0.0),
            ServedClient("web", "shop", "waiting", 0.5),
            ServedClient("web", "shop", "waiting", 1.5),
            ServedClient("web", "shop", "idle", 99.0),
            ServedClient("web", "", "idle", 0.0),
            ServedClient("jobs", "shop", "active", 7.0),
        ],
        NOW,
    )
    assert found["web"].applications == (
        ApplicationClients("shop", active=1, waiting=2, idle=1, maxwait_seconds=1.5),
        ApplicationClients("", active=0, waiting=0, idle=1, maxwait_seconds=0.0),
    )
    assert found["jobs"].applications[0].maxwait_seconds == 0.0
    assert (found["web"].others, found["web"].seen_at) == (0, NOW)


def test_any_number_of_names_is_bounded() -> None:
    """Whoever has most clients is shown; how many there are of all others is known."""
    many = [ServedClient("web", f"worker-{number}", "idle", 0.0) for number in range(10_000)]
    clients = count_clients([*many, *[ServedClient("web", "shop", "active", 0.0)] * 3], NOW)["web"]
    assert clients.applications[0].application == "shop"
    assert len(clients.applications) == MOST_APPLICATIONS
    assert clients.others + sum(each.total for each in clients.applications) == 10_003


def test_a_name_is_short_and_has_nothing_unprintable_in_it() -> None:
    name = "a\x00b\x1b[31m\u202e" + "x" * 1000
    [found] = count_clients([ServedClient("web", name, "idle", 0.0)], NOW)["web"].applications
    assert found.application.isprintable()
    assert len(found.application) == 64


def test_more_clients_are_listed_less_often() -> None:
    def pause(clients: int) -> float:
        found = [ServedClient("web", f"worker-{number}", "idle", 0.0) for number in range(clients)]
        return pause_after(count_clients(found, NOW))

    assert [pause(clients) for clients in (0, 6, 2_500)] == [5.0, 5.0, 5.0]
    assert (pause(5_000), pause(10_000)) == (10.0, 20.0)
