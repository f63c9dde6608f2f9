"""Numbers, texts and axes as the report writes them."""

from __future__ import annotations

import math

import pytest

from gradgate.server.export.report.axis import round_ticks
from gradgate.server.export.report.words import moment, number, prose, short, visible


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (-math.inf, "−∞"),
        (0.0, "0"),
        (0.0123456, "0.0123"),
        (0.00999999977, "0.0100"),
        (0.001, "0.00100"),
        (12.345, "12.3"),
        (-999.0, "−999"),
        (1.2345e-7, "1.23e−7"),
        (123456.0, "1.23e5"),
    ],
)
def test_numbers_have_three_significant_digits(value: float | None, text: str) -> None:
    """As the page writes them."""
    assert number(value) == text


def test_nothing_in_a_text_is_hidden() -> None:
    """What steers a terminal or turns its neighbours round is seen; lines stay lines."""
    assert visible("a\x1b[1m\u202eb\nc") == "a\ufffd[1m\ufffdb\nc"


def test_a_long_name_loses_its_middle() -> None:
    """Its end says more than its beginning."""
    assert short("encoder.layer.3.attention.output.dense.weight", 20) == "encode….dense.weight"
    assert short("a.b", 20) == "a.b"


def test_code_in_a_sentence_is_told_from_its_words() -> None:
    """A quote that is never closed is one of the words."""
    assert prose("`a` is `b`.") == [("a", True), (" is ", False), ("b", True), (".", False)]
    assert prose("it`s") == [("it`s", False)]


def test_times_are_utc() -> None:
    """So that a report says the same wherever it is read."""
    assert moment(1700000000.7) == "2023-11-14 22:13:20 UTC"


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 900, [0, 250, 500, 750]),
        (0.21, 0.89, [0.4, 0.6, 0.8]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (7, 7, [7]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    """And within the axis."""
    assert round_ticks(low, high, 4) == pytest.approx(ticks)


@pytest.mark.parametrize("seconds", [1e18, -1e18, 1e300])
def test_a_time_that_no_calendar_has_is_left_out(seconds: float) -> None:
    """As of a job that counts nanoseconds."""
    assert moment(seconds) == "–"
