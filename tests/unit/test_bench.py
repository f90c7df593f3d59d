"""What `scripts/bench` makes of its measurements."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import panel
from bench.figures import NAMES, describe_figure, load_figure
from bench.report import (
    BEGIN,
    END,
    Figure,
    Heading,
    Row,
    read_record,
    render_page,
    write_page,
    write_record,
)
from bench.spread import Spread

FIGURE = Figure(
    "rest",
    [Row("RSS", "130 MB", "≤ 120 MB", False), Row("a | b", "1")],
    "2026-11-23 17:00 UTC",
    61,
    0.02,
    "2 cores",
    "Poolkeeper 0.1.0",
)
HEADING = Heading("rest", "At rest", "How it is taken.")


def test_a_spread_has_the_nearest_rank_as_percentile() -> None:
    spread = Spread.of([float(value) for value in range(50, 0, -1)])
    assert (spread.median, spread.p95, spread.least, spread.most) == (25.5, 48.0, 1.0, 50.0)
    with pytest.raises(ValueError, match="nothing was measured"):
        Spread.of([])


def test_a_missed_goal_is_seen_among_the_goals_and_below_its_figure() -> None:
    page = render_page([HEADING], {"rest": FIGURE})
    assert "| At rest | RSS | 130 MB | ≤ 120 MB | **missed** |" in page
    assert "| RSS | 130 MB | ≤ 120 MB | **missed** |" in page
    assert "| a \\| b | 1 |  |  |" in page
    assert "load average before: 0.02" in page


def test_a_figure_that_was_never_taken_says_so() -> None:
    assert "Not taken yet: `scripts/bench rest`." in render_page([HEADING], {})


def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    place = tmp_path / "performance.json"
    assert read_record(place) == {}
    write_record(place, {"rest": FIGURE})
    assert read_record(place) == {"rest": FIGURE}


def test_the_page_around_the_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Mine\n\n{BEGIN}\nold\n{END}\n\nmine too\n")
    write_page(page, "new\n")
    write_page(page, "newer\n")
    assert page.read_text() == f"# Mine\n\n{BEGIN}\n\nnewer\n\n{END}\n\nmine too\n"
    page.write_text("# No markers\n")
    with pytest.raises(ValueError, match="lacks the line"):
        write_page(page, "new")


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_says_what_it_is_and_is_bounded(name: str) -> None:
    heading = describe_figure(name)
    assert heading.title and heading.text.endswith(".")
    assert 0 < load_figure(name).LIMIT <= 1800


def test_every_page_of_the_panel_is_measured() -> None:
    addresses = panel.list_addresses()
    assert len(addresses) == len(set(addresses)) >= 15
    assert not [address for address in addresses if "{" in address]
