"""Rounding to fewer bits, against the values themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradgate.server.store.levels.rounding import (
    round_down,
    round_nearest,
    round_up,
    spare_bits,
)

numbers = st.lists(st.floats(width=32), min_size=1, max_size=30)


@given(numbers, st.integers(4, 12))
def test_rounded_values_are_near(values: list[float], bits: int) -> None:
    """Within half a unit of the last bit that is kept, and towards the side that is asked for."""
    given = np.array(values, np.float32)
    nearest, down, up = (each(given, bits) for each in (round_nearest, round_down, round_up))
    normal = np.isfinite(given) & (np.abs(given) >= np.finfo(np.float32).tiny)
    large = np.abs(given) > 3e38
    wide = given.astype(np.float64)
    for found, bound in ((nearest, 2.0 ** -(bits + 1)), (down, 2.0**-bits), (up, 2.0**-bits)):
        error = np.abs(found.astype(np.float64)[normal] / wide[normal] - 1)
        assert (error <= np.where(large, 2.0**-bits, bound)[normal]).all()
        np.testing.assert_array_equal(found[~normal], given[~normal])
        assert spare_bits(np.append(found[normal], np.float32(1))) >= 23 - bits
    assert (down <= given)[normal & ~large].all()
    assert (up >= given)[normal & ~large].all()


@pytest.mark.parametrize("largest", [np.finfo(np.float32).max, -np.finfo(np.float32).max])
def test_no_finite_value_becomes_infinite(largest: float) -> None:
    """The largest numbers are cut off: a state and its value never contradict each other."""
    for each in (round_nearest, round_down, round_up):
        assert np.isfinite(each(np.array([largest], np.float32), 9)).all()
