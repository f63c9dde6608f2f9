"""Small tensors of one shape are stacked, and remembered so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gradgate.probe.measure.stacks import LEAST_STACK, MOST_KNOWN, SMALL, KnownStacks, Stacks


def shapes(*sizes: int) -> list[torch.Size]:
    return [torch.Size([size]) for size in sizes]


def sums(stacks: Stacks, tensors: list[Tensor]) -> tuple[list[float], int]:
    """The sum of each tensor, and how many were reduced alone."""
    alone: list[int] = []

    def reduce_alone(given: list[Tensor]) -> Tensor:
        alone.append(len(given))
        return torch.stack([tensor.sum() for tensor in given])

    figures = stacks.reduce(tensors, lambda rows: rows.sum(1), reduce_alone)
    return figures.tolist(), sum(alone)


@pytest.mark.parametrize("pattern", [[3, 5], [3, 3, 5], [5, 3, 3, 5, 5, 5]], ids=str)
def test_figures_come_in_the_order_of_the_tensors(pattern: list[int]) -> None:
    """Whatever was stacked with what, evenly apart or not."""
    sizes = pattern * LEAST_STACK + [SMALL + 1]
    tensors = [torch.full((size,), float(i)) for i, size in enumerate(sizes)]
    found, alone = sums(Stacks([tensor.shape for tensor in tensors]), tensors)
    assert found == [i * size for i, size in enumerate(sizes)]
    assert alone == 1


def test_only_enough_and_small_tensors_are_stacked() -> None:
    """A stack of few, or of large ones, costs more than it saves."""
    for count, size, expected in [
        (LEAST_STACK, SMALL, 0),
        (LEAST_STACK - 1, SMALL, LEAST_STACK - 1),
        (LEAST_STACK, SMALL + 1, LEAST_STACK),
    ]:
        tensors = [torch.ones(size)] * count
        assert sums(Stacks([tensor.shape for tensor in tensors]), tensors)[1] == expected


def test_stacks_are_remembered_as_long_as_the_shapes_are_the_same() -> None:
    """A model whose gradients change their shapes is stacked anew."""
    known = KnownStacks()
    first = known.of(shapes(1, 2), "a")
    assert known.of(shapes(1, 2), "a") is first
    changed = known.of(shapes(1, 3), "a")
    assert changed is not first
    assert changed.shapes == shapes(1, 3)
    assert known.of(shapes(1, 3), "b") is not changed


def test_what_is_remembered_is_bounded() -> None:
    """A freeze that creeps through a model makes ever new lists of shapes."""
    known = KnownStacks()
    first = known.of(shapes(1), 0)
    for key in range(1, MOST_KNOWN):
        known.of(shapes(1), key)
    assert known.of(shapes(1), 0) is first
    known.of(shapes(1), MOST_KNOWN)
    assert known.of(shapes(1), 0) is not first
