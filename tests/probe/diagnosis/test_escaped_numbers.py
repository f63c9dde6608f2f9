"""Numbers and arrays that left torch, known again when they come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradgate.probe.diagnosis.escaped_numbers import (
    MOST,
    EscapedNumbers,
    are_among,
    join_by_variables,
)
from tests.support.tracing import Recorded, value

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


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ([torch.ones(2), 0.5], "dropout", True),
        ([torch.ones(2), [0.5, 1.0]], "mean_of", True),
        ([np.ones(2)], "from_numpy", True),
        ([np.float32(0.5)], "mul", True),
        ([torch.ones(2), 3], "mul", True),
        ([[1, 2]], "tensor", True),
        ([torch.ones(2), 3], "sum", False),
        ([torch.ones(2), True], "mul", False),
        ([torch.ones(2), "mean"], "mul", False),
    ],
)
def test_whole_numbers_matter_where_they_are_computed_with(
    given: list[object], name: str, expected: bool
) -> None:
    """Elsewhere they are sizes; others always do."""
    assert are_among(given, name) is expected


def test_numbers_are_joined_with_those_that_they_were_made_of() -> None:
    """In the order of time, and not with those that went elsewhere."""
    x = torch.ones(2, requires_grad=True)
    log: list[float] = []

    def step() -> None:
        (x * 0.25).sum()
        log.append(x.exp().sum().item())
        total = 0.0
        for _ in range(2):
            total += x.sin().sum().item()
            x.mul(total / 3)
        torch.Tensor([total / 7]).cos()

    tape = Recorded(step).tape
    join_by_variables(tape)
    logged, first, second = (value for value, _ in tape.escapes)
    _, scaled, twice = (each.outputs[0] for each in tape.calls if each.name == "mul")
    (last,) = (each.outputs[0] for each in tape.calls if each.name == "cos")
    assert scaled.plain == [first]
    assert twice.plain == [first, second]
    assert last.plain[0].plain == [first, second]
    assert logged not in [*scaled.plain, *twice.plain, *last.plain[0].plain]
