"""Rates of counters: what they are, and when there is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from poolkeeper.metrics.rates import Rates


def test_the_first_reading_has_no_rate() -> None:
    assert Rates().advance(10.0, {"xacts": 500}) == {"xacts": None}


def test_a_rate_is_growth_over_the_time_that_passed() -> None:
    rates = Rates()
    rates.advance(10.0, {"xacts": 500, "queries": 7})
    assert rates.advance(12.0, {"xacts": 560, "queries": 7}) == {"xacts": 30.0, "queries": 0.0}


def test_a_counter_that_began_anew_has_no_rate_for_one_reading() -> None:
    rates = Rates()
    rates.advance(1.0, {"xacts": 500})
    assert rates.advance(2.0, {"xacts": 20}) == {"xacts": None}
    assert rates.advance(3.0, {"xacts": 50}) == {"xacts": 30.0}


def test_a_long_pause_is_no_second() -> None:
    rates = Rates()
    rates.advance(1.0, {"xacts": 500})
    assert rates.advance(61.0, {"xacts": 560}) == {"xacts": None}
    assert rates.advance(62.0, {"xacts": 561}) == {"xacts": 1.0}


def test_what_is_forgotten_is_not_counted_from() -> None:
    rates = Rates()
    rates.advance(1.0, {"xacts": 5})
    rates.forget()
    assert rates.advance(2.0, {"xacts": 5000}) == {"xacts": None}


def test_a_counter_that_was_not_there_before_has_no_rate() -> None:
    rates = Rates()
    rates.advance(1.0, {"xacts": 5})
    assert rates.advance(2.0, {"xacts": 6, "binds": 9}) == {"xacts": 1.0, "binds": None}


@given(st.lists(st.tuples(st.floats(0.01, 4), st.integers(0, 10**12)), min_size=2, max_size=40))
def test_no_rate_is_ever_negative(readings: list[tuple[float, int]]) -> None:
    rates, at = Rates(), 0.0
    for passed, total in readings:
        at += passed
        rate = rates.advance(at, {"xacts": total})["xacts"]
        assert rate is None or rate >= 0
