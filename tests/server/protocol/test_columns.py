"""Columns in binary, read by what docs/protocol.md says alone."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from gradgate.server.protocol.columns import coded, halves, numbers, pack, words
from gradgate.server.protocol.parameters import FrozenRow
from tests.support.columns import read_columns


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9])
def test_numbers_arrive_whatever_their_number(dtype: type, count: int) -> None:
    """Each column begins at a multiple of eight bytes, and the length is exactly that."""
    values = np.arange(count).astype(dtype)
    found = read_columns(pack({"first": numbers(values), "größe": numbers(values[::-1])}))
    assert found["first"] == values.tolist()
    assert found["größe"] == values[::-1].tolist()


def test_words_and_codes_are_what_was_given() -> None:
    """Few different entries travel once, rows of REST among them, and stay apart from null."""
    row = FrozenRow(by="ada", mode="grad", hold_stats=False, since_step=3, command=None)
    found = read_columns(
        pack(
            {
                "names": words([["a", "b"], ["c"]]),
                "frozen": coded([None, row, row]),
                "shape": coded([(4, 2), (4, 2), ()]),
                "removed": coded([False, True, False]),
            }
        )
    )
    assert found == {
        "names": [["a", "b"], ["c"]],
        "frozen": [None, row.model_dump(), row.model_dump()],
        "shape": [[4, 2], [4, 2], []],
        "removed": [False, True, False],
    }


def test_halves_are_within_the_error_that_is_documented() -> None:
    """Every magnitude from the least to the greatest float32 is there to 1.6 %, with its sign."""
    generator = np.random.default_rng(0)
    magnitudes = (10.0 ** generator.uniform(-37.5, 38.5, 10_000)).astype(np.float32)
    values = magnitudes * generator.choice(np.float32([-1, 1]), 10_000)
    found = np.array(read_columns(pack({"norms": halves(values)}))["norms"])
    assert np.all(np.sign(found) == np.sign(values))
    assert np.max(np.abs(found / values - 1)) <= 1 / 64


def test_halves_have_zeros_and_no_infinity() -> None:
    """Zero stays zero, the greatest number stays finite, and what is not finite is NaN."""
    largest = np.finfo(np.float32).max
    given: NDArray[np.float32] = np.float32([0, largest, -largest, np.inf, -np.inf, np.nan])
    zero, high, low, *none = read_columns(pack({"norms": halves(given)}))["norms"]
    assert zero == 0
    assert math.isfinite(high)
    assert low == -high
    assert all(math.isnan(each) for each in none)


def test_a_header_is_json() -> None:
    """Anything that reads JSON can tell which columns there are."""
    packed = pack({"steps": numbers(np.float64([1, 2]))})
    header = packed[8 : 8 + int.from_bytes(packed[4:8], "little")]
    assert packed[:4] == b"GG\x01\x03"
    assert json.loads(header) == [{"name": "steps", "type": "f64", "length": 2}]
