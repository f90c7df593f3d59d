"""Charts that many look at are drawn once, and nobody is shown what is over."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

from poolkeeper.domain.errors import NotFound
from poolkeeper.domain.tokens import READ
from poolkeeper.panel import drawings as drawings_module
from poolkeeper.panel.chart_lists import list_pool_charts
from poolkeeper.panel.drawings import Drawings
from tests.panel.browsing import Panel
from tests.panel.sampling import put_samples

CHARTS = list_pool_charts("web")


@pytest.fixture
def cluster_id(panel: Panel) -> UUID:
    return panel.create_cluster()


def test_whoever_comes_in_the_same_second_gets_the_same(
    panel: Panel, cluster_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long the eight of them take.
    monkeypatch.setitem(drawings_module._KEPT, "1h", 3600.0)
    put_samples(panel, cluster_id, {}, {"web": {"size": 2.0}})
    drawings = Drawings()

    def ask(_: int) -> bytes:
        return drawings.encode(panel.context, cluster_id, CHARTS, "1h")

    with ThreadPoolExecutor(8) as people:
        answers = list(people.map(ask, range(8)))
    assert all(answer is answers[0] for answer in answers)


def test_the_next_second_is_drawn_as_soon_as_it_is_sampled(panel: Panel, cluster_id: UUID) -> None:
    drawings = Drawings()
    for size in (2.0, 3.0, 4.0):
        put_samples(panel, cluster_id, {}, {"web": {"size": size}})
        body = gzip.decompress(drawings.encode(panel.context, cluster_id, CHARTS, "15m"))
        [line] = [
            each
            for each in json.loads(body)["charts"]["backends"]["lines"]
            if each["label"] == "size"
        ]
        assert f"{size:g}" in line["values"].split(",")
        panel.clock.advance(seconds=1)


def test_each_cluster_span_and_pool_has_its_own(panel: Panel, cluster_id: UUID) -> None:
    other = panel.create_cluster("other")
    put_samples(panel, cluster_id, {}, {"web": {"size": 2.0}, "api": {"size": 3.0}})
    drawings = Drawings()
    asked = [
        (each, list_pool_charts(pool), span)
        for each in (cluster_id, other)
        for pool in ("web", "api")
        for span in ("1h", "24h")
    ]
    answers = {drawings.encode(panel.context, *each) for each in asked}
    assert len(answers) == 8


def test_a_cluster_that_is_not_there_is_told_each_time(panel: Panel) -> None:
    drawings = Drawings()
    for _ in range(2):
        with pytest.raises(NotFound):
            drawings.draw(panel.context, uuid4(), CHARTS, "1h")


def test_who_takes_nothing_compressed_is_answered_too(panel: Panel, cluster_id: UUID) -> None:
    put_samples(panel, cluster_id, {"xacts_per_second": 4.0})
    browser = panel.browse_as(READ)
    answers: list[Any] = []
    for encoding in ("gzip", "identity"):
        address = f"/databases/{cluster_id}/charts.json?span=1h"
        answer = browser.get(address, **{"accept-encoding": encoding})
        assert answer.headers.get("content-encoding", "identity") == encoding
        answers.append(json.loads(answer.text))
    assert answers[0] == answers[1]
