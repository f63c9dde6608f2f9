"""Whose turn it is to be looked at."""

from __future__ import annotations

import pytest

from gradgate.probe.measure.turns import (
    LOOKS,
    MOST_ELEMENTS,
    MOST_PARAMETERS,
    Turns,
    shares,
)


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ([], []),
        ([5, 0, 7], [[0, 2]]),
        ([MOST_ELEMENTS, 1, 1], [[0], [1, 2]]),
        ([1, MOST_ELEMENTS + 1, 1], [[0], [1], [2]]),
        ([1] * (MOST_PARAMETERS + 1), [list(range(MOST_PARAMETERS)), [MOST_PARAMETERS]]),
    ],
)
def test_a_share_has_so_many_parameters_and_elements(
    sizes: list[int], wanted: list[list[int]]
) -> None:
    """In the order of the table; a large parameter is looked at alone, an empty one never."""
    assert shares(sizes) == wanted


@pytest.mark.parametrize("sizes", [[10] * 10_000, [MOST_ELEMENTS] * 1000, [1, 10**9] * 50])
def test_a_large_model_has_been_seen_after_some_looks(sizes: list[int]) -> None:
    """However many parameters or elements it has: about 64, each parameter once."""
    found = shares(sizes)
    assert [index for share in found for index in share] == list(range(len(sizes)))
    assert len(found) <= 2 * LOOKS + 2


def test_the_turn_goes_round_with_the_model_as_it_is_then() -> None:
    """What joins is looked at from the next turn on; a model without parameters never."""
    sizes = [MOST_ELEMENTS] * 2
    turns = Turns(lambda: sizes)
    seen = [list(turns.next()) for _ in range(3)]
    sizes.append(1)
    seen += [list(turns.next()) for _ in range(4)]
    assert seen == [[0], [1], [0], [1], [0], [1], [2]]
    assert list(Turns(lambda: []).next()) == []
