"""Bucketing of a history, against a plain loop over it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradgate.server.protocol.states import State
from gradgate.server.store.buckets import History, bucket, plain

WORST_FIRST = [
    "nonfinite",
    "zero",
    "absent",
    "stale",
    "gated",
    "frozen",
    "present",
    "unmeasured",
]

points_of_history = st.lists(
    st.tuples(st.floats(width=32), st.sampled_from(State)), min_size=0, max_size=60
)


def make_history(points: list[tuple[float, State]]) -> History:
    """A history whose steps are 10, 20, 30 and so on."""
    return History(
        np.arange(1, len(points) + 1) * 10,
        np.array([value for value, _ in points], np.float32),
        np.array([state for _, state in points], np.uint8),
    )


@given(points_of_history, st.integers(1, 70))
def test_buckets_equal_a_plain_loop(points: list[tuple[float, State]], wanted: int) -> None:
    """First and last step, last value, range of finite values and worst state of each."""
    found = bucket(make_history(points).track(), wanted)
    assert len(found.steps) == min(wanted, len(points))
    start = 0
    for place, last_step in enumerate(found.steps):
        end = last_step // 10
        part = points[start:end]
        assert part, "a bucket is never empty"
        assert found.first_steps[place] == (start + 1) * 10
        finite = [value for value, _ in part if math.isfinite(value)]
        assert_close(found.values[place], part[-1][0])
        assert_close(found.low[place], min(finite, default=math.nan))
        assert_close(found.high[place], max(finite, default=math.nan))
        named = [state.name.lower() for _, state in part]
        assert found.states[place] == min(named, key=WORST_FIRST.index)
        start = end
    assert start == len(points), "every sample is in a bucket"


def test_buckets_are_of_equal_size() -> None:
    """No bucket has more than one sample more than another."""
    steps = bucket(make_history([(1.0, State.PRESENT)] * 1003).track(), 100).steps
    sizes = np.diff([0, *steps]) // 10
    assert set(sizes.tolist()) == {10, 11}


@given(st.floats(width=32))
def test_plain_numbers_are_close_and_valid_json(value: float) -> None:
    """A number keeps six digits, and one that is not finite is null."""
    (number,) = plain(np.array([value], np.float32))
    assert_close(number, value)
    json.dumps(number, allow_nan=False)


@pytest.mark.parametrize("value", [0.1, 0.3, 123.456, 1e-30, 2.5e20, 0.0])
def test_plain_numbers_are_short(value: float) -> None:
    """What was written with few digits comes out with few digits."""
    assert len(json.dumps(plain(np.array([value], np.float32))[0])) <= 8


def assert_close(found: float | None, wanted: float) -> None:
    """Six digits agree, or both are missing."""
    if math.isfinite(wanted):
        assert found is not None
        assert found == pytest.approx(wanted, rel=6e-6, abs=1e-44)
    else:
        assert found is None
