"""The charts' numbers: what is drawn, what is said of it without scripts, what moves."""

from __future__ import annotations

import html
import re
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.status import PoolLoad
from poolkeeper.domain.tokens import CREATE, READ
from poolkeeper.panel import live_numbers
from poolkeeper.panel.assets import Assets
from poolkeeper.panel.chart_lists import choose_pools, compose_stream
from poolkeeper.panel.charts import SPANS
from poolkeeper.panel.live import _compare, _pick
from poolkeeper.panel.sparklines import trace
from poolkeeper.usecases.clusters import get_detail
from poolkeeper.usecases.pools import create_pool
from tests.panel.browsing import Panel
from tests.panel.sampling import put_samples

SHAPE = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 2)
POOL = {"backends_active": 2.0, "backends_idle": 1.0, "backends": 3.0, "size": 2.0}


def read_charts(panel: Panel, cluster_id: UUID, span: str = "15m", pool: str = "") -> Any:
    where = f"/pools/{pool}" if pool else ""
    browser = panel.browse_as(READ)
    answer = browser.get(f"/databases/{cluster_id}{where}/charts.json?span={span}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def line(charts: Any, chart: str, label: str) -> Any:
    [found] = [each for each in charts["charts"][chart]["lines"] if each["label"] == label]
    return found | {"values": read_points(found)}


def read_points(line: Any) -> list[float | None]:
    return [float(point) if point else None for point in line["values"].split(",")]


def test_each_second_is_a_point_and_what_was_not_seen_is_a_gap(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    put_samples(panel, cluster_id, {"xacts_per_second": 4.0}, seconds=3)
    panel.clock.advance(seconds=2)
    now = put_samples(panel, cluster_id, {"xacts_per_second": 8.0})
    charts = read_charts(panel, cluster_id)
    values = line(charts, "transactions", "all")["values"]
    assert (charts["step"], charts["live"], charts["span"]) == (1, True, 900)
    assert charts["start"] + len(values) in (now, now + 1)
    while values[-1] is None:
        values.pop()
    assert values[-5:] == [4, 4, 4, None, 8]
    assert set(values[:-5]) == {None}


@pytest.mark.parametrize(("span", "step"), [("1h", 10), ("24h", 240), ("30d", 7200)])
def test_longer_spans_have_fewer_points(panel: Panel, span: str, step: int) -> None:
    cluster_id = panel.create_cluster()
    put_samples(panel, cluster_id, {"xacts_per_second": 4.0, "cache_hit_ratio": None}, seconds=90)
    charts = read_charts(panel, cluster_id, span)
    found = line(charts, "transactions", "all")
    assert (charts["step"], charts["live"]) == (step, False)
    assert len(found["values"]) <= 361
    assert (found["mean"], found["max"]) == (4, 4)
    assert found["values"][-1] == 4


@pytest.mark.parametrize("span", [span for span in SPANS if span != "15m"])
def test_the_greatest_is_that_of_a_second_or_is_not_told(panel: Panel, span: str) -> None:
    cluster_id = panel.create_cluster()
    for peak in (90.0, 10.0):
        blocks = {"blocks_hit_per_second": peak, "blocks_read_per_second": peak}
        put_samples(panel, cluster_id, {"xacts_per_second": peak, **blocks})
        panel.clock.advance(seconds=1)
    charts = read_charts(panel, cluster_id, span)
    counted = line(charts, "transactions", "all")
    assert (counted["max"], counted["values"][-1]) == (90, 50)
    # A ratio is worked out from means over more than a second.
    cached = line(charts, "cache", "in shared buffers")
    assert (cached["max"], cached["mean"]) == (None, 0.5)
    page = panel.browse_as(READ).get(f"/databases/{cluster_id}?span={span}").text
    assert "each point is a mean" in page
    assert "each point is a mean" not in panel.browse_as(READ).get(f"/databases/{cluster_id}").text


def test_connections_are_told_by_who_has_them(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    names = [f"pool-{number}" for number in range(8)]
    for name in names:
        create_pool(panel.context, "test", cluster_id, name, SHAPE)
    cluster = {"connections_pooled": 24.0, "connections_direct": 2.0, "connections_free": 1.0}
    now = put_samples(panel, cluster_id, cluster, dict.fromkeys(names, POOL))
    charts = read_charts(panel, cluster_id)
    labels = [each["label"] for each in charts["charts"]["connections"]["lines"]]
    assert labels == [*names[:6], "other pools", "direct", "reserved", "free"]
    at = now - charts["start"]
    told = {each["label"]: read_points(each) for each in charts["charts"]["connections"]["lines"]}
    assert told["pool-0"][at] == 3
    assert told["other pools"][at] == 24 - 6 * 3
    assert told["direct"][at] == 2
    assert told["reserved"][at] is None
    stream = compose_stream(cluster_id, choose_pools(get_detail(panel.context, cluster_id)))
    page = panel.browse_as(READ).get(f"/databases/{cluster_id}").text
    assert f'data-stream="{html.escape(stream)}"' in page
    assert stream.count("pool=") == 6


def test_processors_of_all_the_machine_are_a_hundred_percent(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    host = {"cpu_percent": 60.0}
    put_samples(panel, cluster_id, {"postgres_cpu_percent": 200.0}, host=host)
    charts = read_charts(panel, cluster_id)
    # The test's machine has four.
    assert line(charts, "cpu", "PostgreSQL")["max"] == 50
    assert line(charts, "cpu", "machine")["max"] == 60


def test_without_scripts_there_are_sums_and_a_table(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    put_samples(panel, cluster_id, {"xacts_per_second": 12.0}, seconds=60)
    page = panel.browse_as(READ).get(f"/databases/{cluster_id}").text
    [figure] = re.findall(r'<figure[^>]*data-chart="transactions".*?</figure>', page, re.S)
    cells = re.findall(r"<td>([^<]*)</td>", figure)
    assert cells[:3] == ["12 /s", "12 /s", "12 /s"]
    [rows] = re.findall(r'<table class="rows">.*?</table>', figure, re.S)
    assert "Transactions over the last 15 min" in rows
    assert '<td class="number">12 /s</td>' in rows
    assert 3 <= rows.count("<tr>") <= 17


def test_a_span_is_an_address(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    browser = panel.browse_as(READ)
    for span in (*SPANS, "nonsense", "<script>"):
        page = browser.get(f"/databases/{cluster_id}?span={span}").text
        current = span if span in SPANS else "15m"
        here = f"/databases/{cluster_id}"
        assert f'href="{here}?span={current}#charts" aria-current="page"' in page
        assert len(re.findall(r'#charts"(?: aria-current="page")?>', page)) == len(SPANS)
        assert page.count('#charts" aria-current="page"') == 1
        assert f'data-charts="{here}/charts.json?span={current}"' in page
        assert "<script>" not in page


def test_what_is_loaded_again_has_no_charts(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    browser = panel.browse_as(READ)
    headers = {"hx_request": "true", "poolkeeper_background": "yes"}
    again = browser.get(f"/databases/{cluster_id}", **headers).text
    assert 'id="overview"' in again and "data-chart=" not in again
    assert "data-chart=" in browser.get(f"/databases/{cluster_id}").text


def test_nobody_reads_charts_without_being_allowed_to(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    address = f"/databases/{cluster_id}/charts.json"
    assert panel.browse().get(address).status_code == 303
    creator = panel.browse()
    creator.sign_in(panel.issue_token(CREATE))
    assert creator.get(address).status_code == 403
    reader = panel.browse_as(READ)
    assert reader.get(f"/databases/{uuid4()}/charts.json").status_code == 404
    assert reader.get(f"/databases/{cluster_id}/pools/none/charts.json").status_code == 404


def test_the_newest_sample_moves_the_numbers(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    now = put_samples(
        panel,
        cluster_id,
        {"xacts_per_second": 1234.5678, "connections_free": 7.0},
        {"web": {"xacts_per_second": 10.0, "xact_work": 0.5, "size": 2.0}, "idle": {"size": 3.0}},
        host={"load_1m": 0.25},
    )
    panel.context.observations.put_loads(cluster_id, {"web": PoolLoad(5, 1, 2, 0, 0.42)})
    numbers = live_numbers.read_latest(panel.context, cluster_id)
    assert numbers["at"] == now
    assert numbers["cluster.xacts_per_second"] == 1235
    assert numbers["cluster.connections_free"] == 7
    assert numbers["host.load_1m"] == 0.25
    assert numbers["pool.web.clients_waiting"] == 1
    assert numbers["pool.web.xact_seconds"] == 0.05
    assert numbers["pool.idle.backends"] == 0
    assert numbers["pools.clients_active"] == 5
    # PgBouncer did not answer: a gap, and not what was before.
    panel.clock.advance(seconds=1)
    put_samples(panel, cluster_id, {"xacts_per_second": 1.0})
    numbers = live_numbers.read_latest(panel.context, cluster_id)
    assert "pool.web.clients_waiting" not in numbers


def test_of_the_numbers_only_those_are_sent_that_are_new_and_wanted() -> None:
    before = {"at": 1, "pool.web.size": 2, "pool.gone.size": 1}
    now = {"at": 2, "pool.web.size": 2, "pool.new.size": None}
    assert _compare(before, now) == {"at": 2, "pool.new.size": None, "pool.gone.size": None}
    numbers = {"at": 1, "pools.clients": 3, "pool.web.size": 2, "pool.web2.size": 4}
    assert _pick(numbers, frozenset({"web"})) == {"at": 1, "pools.clients": 3, "pool.web.size": 2}
    assert _pick(numbers, frozenset({""})) == {"at": 1, "pools.clients": 3}


def test_the_list_shows_how_busy_each_was(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    values = {"xacts_per_second": 30.0, "connections_active": 11.0}
    put_samples(panel, cluster_id, values, seconds=600)
    browser = panel.browse_as(READ)
    page = browser.get("/databases").text
    assert f'data-live="cluster.{cluster_id}.xacts_per_second" data-live-as="rate">30 /s<' in page
    # Half of the budget of 22, whatever else there is in the list.
    assert re.search(r'<path d="M[0-9.]+ 8L[0-9.L ]+"/>', page)
    assert ">at most 11</span>" in page and ">of 22</span>" in page
    panel.create_cluster("idle")
    assert "not seen" in browser.get("/databases").text


@pytest.mark.parametrize(
    ("points", "path"),
    [
        ([], ""),
        ([None, None], ""),
        ([0.0, 0.0], "M0 15L60 15"),
        ([0.0, 2.0, 1.0], "M0 15L30 1L60 8"),
        ([1.0, None, 3.0], "M0 8M60 1"),
    ],
)
def test_a_sparkline(points: list[float | None], path: str) -> None:
    assert trace(points, top=2) == path


def test_a_month_is_drawn_once_for_all_who_look(panel: Panel) -> None:
    cluster_id = panel.create_cluster()
    put_samples(panel, cluster_id, {"xacts_per_second": 4.0}, seconds=120)
    first = read_charts(panel, cluster_id, "30d")
    panel.clock.advance(seconds=60)
    put_samples(panel, cluster_id, {"xacts_per_second": 400.0}, seconds=60)
    assert read_charts(panel, cluster_id, "30d") == first
    assert line(read_charts(panel, cluster_id), "transactions", "all")["max"] == 400


def test_a_first_visit_loads_little() -> None:
    """Everything that the overview needs, compressed: 150 kB at most."""
    assets = Assets()
    needed = (
        *("panel.css", "components.css", "charts.css", "pool.css"),
        *("panel.js", "live.js", "moments.js"),
        *("charts/numbers.js", "charts/plot.js", "charts/key.js", "charts/page.js"),
        *("vendor/htmx.min.js", "vendor/uPlot.iife.min.js", "vendor/uPlot.min.css", "icon.svg"),
    )
    sizes = {name: len(cast(bytes, assets._assets[name].compressed)) for name in needed}
    assert sum(sizes.values()) < 80_000, sizes
