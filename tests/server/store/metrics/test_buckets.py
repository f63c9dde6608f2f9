"""Buckets of values: nothing is lost, whatever is put together."""

from __future__ import annotations

import numpy as np

from gradgate.server.store.metrics.buckets import joined, of_values

NAN, INF = np.nan, np.inf


def test_neighbours_are_put_together() -> None:
    """The last value, the least and the greatest finite one, and how many were none of these."""
    values = np.array([1.0, 900.0, NAN, 2.0, INF, -INF, NAN, NAN])
    made = of_values(np.array([5, 6, 7, 3, 4, 5, 8, 9]), values).merged(4)
    assert made.last_step.tolist() == [3, 9]
    assert (made.low_step.tolist(), made.high_step.tolist()) == ([3, 4], [7, 9])
    assert made.last.tolist()[0] == 2.0
    assert np.isnan(made.last[1])
    assert (made.low[0], made.high[0]) == (1.0, 900.0)
    assert np.isnan([made.low[1], made.high[1]]).all()
    assert made.count.tolist() == [4, 4]
    assert (made.nan.tolist(), made.posinf.tolist()) == ([1, 2], [0, 1])
    assert made.neginf.tolist() == [0, 1]


def test_what_is_put_together_twice_is_as_at_once() -> None:
    """Levels are made of levels."""
    values = np.random.default_rng(0).normal(size=64)
    values[[3, 40]] = NAN, INF
    single = of_values(np.arange(64), values)
    for twice, once in zip(
        single.merged(4).merged(4).columns(), single.merged(16).columns(), strict=True
    ):
        np.testing.assert_array_equal(twice, once)


def test_buckets_are_spread_by_how_many_values_they_hold() -> None:
    """A coarse bucket beside single values takes as much room as it stands for."""
    single = of_values(np.arange(32), np.arange(32.0))
    mixed = joined([single.chosen(slice(0, 16)).merged(16), single.chosen(slice(16, None))])
    assert mixed.spread(4).count.tolist() == [16, 8, 8]
    assert mixed.spread(2).last_step.tolist() == [15, 31]
    assert mixed.spread(1).count.tolist() == [32]
    assert mixed.spread(17) is mixed
    assert len(joined([]).spread(1)) == 0
