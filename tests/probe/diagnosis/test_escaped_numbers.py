"""Numbers and arrays that left torch, known again when they come back."""

from __future__ import annotations

import numpy as np
import pytest

from gradgate.probe.diagnosis.escaped_numbers import MOST, EscapedNumbers
from tests.support.tracing import value

TELLING = 0.12345678901


@pytest.fixture
def numbers() -> EscapedNumbers:
    return EscapedNumbers()


def test_a_number_with_many_digits_is_known_again(numbers: EscapedNumbers) -> None:
    """Alone, in a list of lists, and as a float of numpy's."""
    left = value()
    assert not numbers
    numbers.add([0.5, [TELLING]], left)
    assert numbers
    for given in (TELLING, [1, (TELLING,)], np.float64(TELLING)):
        assert numbers.sources(given) == [left]


def test_a_number_that_may_come_from_anywhere_is_not_known(numbers: EscapedNumbers) -> None:
    """0.5 is no sign of where it comes from, and neither is a whole number."""
    numbers.add([0.5, 12345678901], value())
    assert not numbers
    assert numbers.sources([0.5, 12345678901]) == []


def test_an_array_is_known_by_itself_and_by_its_views(numbers: EscapedNumbers) -> None:
    """An equal one is another."""
    left, array = value(), np.zeros(4)
    numbers.add(array, left)
    assert numbers.sources(array) == [left]
    assert numbers.sources(array[1:][1:]) == [left]
    assert numbers.sources(np.zeros(4)) == []


def test_an_array_that_is_gone_is_not_known(numbers: EscapedNumbers) -> None:
    """Another may get its place in memory."""
    arrays = [np.zeros(4) for _ in range(50)]
    for array in arrays:
        numbers.add(array, value())
    known = {id(array) for array in arrays}
    del array, arrays
    again = [np.zeros(4) for _ in range(50)]
    assert known & {id(array) for array in again}
    assert not any(map(numbers.sources, again))


def test_the_latest_value_of_a_number_counts_and_each_once(numbers: EscapedNumbers) -> None:
    """Two equal numbers are taken for the same."""
    first, second = value(), value()
    numbers.add(TELLING, first)
    numbers.add(TELLING, second)
    assert numbers.sources([TELLING, TELLING]) == [second]


def test_a_long_list_is_looked_at_in_part(numbers: EscapedNumbers) -> None:
    """A dataset that becomes a list takes no time."""
    numbers.add([TELLING + i for i in range(10 * MOST)], value())
    found = [i for i in range(10 * MOST) if numbers.sources(TELLING + i)]
    assert 0 < len(found) <= MOST
