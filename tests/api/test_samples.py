"""What was sampled, through the API."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest

from poolkeeper.domain.samples import Kind, Sample, list_names
from poolkeeper.domain.tokens import CREATE, READ
from poolkeeper.metrics.history import History
from tests.api.front import Front

POOL = {"name": "web", "db": "defaultdb", "user": "doadmin", "mode": "transaction", "size": 5}


def test_a_pool_that_was_sampled(
    front: Front, main: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    front.call("POST", f"/v2/databases/{main['id']}/pools", POOL)
    history = cast(History, front.context.samples)
    now = int(time.time())
    # However long it takes to ask, it is that moment.
    monkeypatch.setattr(front.context.store, "_now", lambda: datetime.fromtimestamp(now, UTC))
    for second in range(now - 5, now):
        values = {"clients_waiting": 2.0, "xact_work": 1.0, "xacts_per_second": 4.0}
        sample = Sample(second, {"clients_active": 1.0}, {"web": values})
        history.put(second, {"load_1m": 0.5}, {UUID(main["id"]): sample})
    address = f"/v1/clusters/{main['id']}/samples"
    answer = front.client(READ).get(
        address, params={"subject": "pool:web", "names": "clients_waiting,xact_seconds", "span": 4}
    )
    assert answer.status_code == 200
    samples = answer.json()["samples"]
    assert samples["subject"] == "pool:web"
    assert samples["step"] == 1
    assert datetime.fromisoformat(samples["start"]) == datetime.fromtimestamp(now - 4, UTC)
    assert samples["values"] == {"clients_waiting": [2.0] * 4, "xact_seconds": [0.25] * 4}
    for subject, name, value in (("cluster", "clients_active", 1.0), ("host", "load_1m", 0.5)):
        found = front.call("GET", f"{address}?subject={subject}&span=1").json()["samples"]
        assert found["values"][name] == [value]
    until = datetime.fromtimestamp(now - 100, UTC).isoformat().replace("+00:00", "Z")
    before = front.call("GET", f"{address}?subject=pool:web&names=size&span=3&until={until}")
    assert before.json()["samples"]["values"] == {"size": [None] * 3}


def test_without_names_all_are_told(front: Front, main: Mapping[str, Any]) -> None:
    found = front.call("GET", f"/v1/clusters/{main['id']}/samples").json()["samples"]
    assert list(found["values"]) == list_names(Kind.CLUSTER)
    assert {len(values) for values in found["values"].values()} <= {300, 301}


@pytest.mark.parametrize("span", [1, 899, 86_400, 2_592_000])
@pytest.mark.parametrize("points", [1, 7, 2000])
def test_an_answer_is_bounded(
    front: Front, main: Mapping[str, Any], span: int, points: int
) -> None:
    address = f"/v1/clusters/{main['id']}/samples?names=clients_active"
    found = front.call("GET", f"{address}&span={span}&points={points}").json()["samples"]
    assert 1 <= len(found["values"]["clients_active"]) <= points + 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("subject=pool", "subject: cluster, host, or pool: with the name of a pool"),
        ("subject=pool:", "subject: cluster, host, or pool: with the name of a pool"),
        ("subject=tables", "subject: cluster, host, or pool: with the name of a pool"),
        ("names=clients_activ", "names: 'clients_activ' is none of "),
        ("span=0", "span: must be at least 1"),
        ("span=2592001", "span: must be at most 2592000"),
        ("points=2001", "points: must be at most 2000"),
        ("span=x", "span: must be a whole number"),
        ("until=yesterday", "until: "),
        ("until=2026-11-23T10:00:00", "until: "),
    ],
)
def test_what_cannot_be_read_is_refused(
    front: Front, main: Mapping[str, Any], query: str, message: str
) -> None:
    answer = front.call("GET", f"/v1/clusters/{main['id']}/samples?{query}")
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(message)


def test_what_is_not_there(front: Front, main: Mapping[str, Any]) -> None:
    nowhere = "/v1/clusters/00000000-0000-4000-8000-000000000000/samples"
    assert front.call("GET", nowhere).status_code == 404
    answer = front.call("GET", f"/v1/clusters/{main['id']}/samples?subject=pool:nobody")
    assert (answer.status_code, answer.json()["message"]) == (404, "pool not found")


def test_reading_takes_the_scope(front: Front, main: Mapping[str, Any]) -> None:
    answer = front.client(CREATE).get(f"/v1/clusters/{main['id']}/samples")
    assert answer.status_code == 403
