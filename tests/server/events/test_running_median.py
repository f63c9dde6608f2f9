"""Running medians: of many series by an estimate, of one number exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradgate.server.events.running_median import WINDOW, RunningMedian, RunningMedians


def test_an_estimate_comes_to_rest_near_the_median() -> None:
    """Of series of very different sizes, and stays there whatever a few outliers are."""
    generator = np.random.default_rng(3)
    usual = np.geomspace(1e-12, 1e6, 200).astype(np.float32)
    medians = RunningMedians(16)
    medians.grow(200)
    everywhere = np.ones(200, bool)
    for number in range(300):
        values = usual * np.exp(generator.normal(0, 0.5, 200)).astype(np.float32)
        values *= 1e6 if number % 10 == 5 else 1
        medians.add(values, everywhere)
    spread = np.abs(np.log(medians.usual(200) / usual))
    assert np.median(spread) < 0.25
    assert spread.max() < 1


def test_what_is_not_there_counts_for_nothing() -> None:
    """Nothing is usual before enough values were there."""
    medians = RunningMedians(4)
    medians.grow(2)
    for _ in range(4):
        assert np.isnan(medians.usual(2)).all()
        medians.add(np.array([2, np.nan], np.float32), np.array([True, False]))
    assert medians.usual(2)[0] == pytest.approx(2, rel=0.3)
    assert math.isnan(medians.usual(2)[1])
    for _ in range(253):  # one more than a count can hold
        medians.add(np.array([2, np.nan], np.float32), np.array([True, False]))
    assert medians.usual(2)[0] == pytest.approx(2, rel=0.06)
    for _ in range(50):
        medians.add(np.array([np.nan, 3], np.float32), np.array([False, True]))
    assert medians.usual(2) == pytest.approx([2, 3], rel=0.06)


def test_one_number_has_the_median_of_its_latest_values() -> None:
    """NaN before there are enough."""
    median = RunningMedian(3, [9, 9])
    assert math.isnan(median.usual())
    median.add(1)
    assert median.usual() == 9
    for value in range(WINDOW):
        median.add(value)
    assert median.usual() == WINDOW // 2
