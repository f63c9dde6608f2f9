"""Small tensors of one shape, copied side by side, so that one call reduces them all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import chain
from operator import itemgetter

import torch
from torch import Tensor

SMALL = 4096
"""Elements up to which tensors of one shape are stacked; above, the copy costs what it saves."""
MOST_KNOWN = 16
"""Lists of shapes that are remembered; a freeze that creeps through a model makes more and more."""
LEAST_STACK = 20
"""Tensors that make a stack worth its calls."""
STACK_ELEMENTS = 2**18
"""Elements copied at once, at most: a stack stays within the caches and a few megabytes."""


class Stacks:
    """Which of some tensors go into which stack, by their places, and which stay alone."""

    def __init__(self, shapes: Sequence[torch.Size]) -> None:
        self.shapes = shapes
        by_shape: dict[torch.Size, list[int]] = {}
        for place, shape in enumerate(shapes):
            by_shape.setdefault(shape, []).append(place)
        stacks: list[list[int]] = []
        self._alone: list[int] = []
        for shape, places in by_shape.items():
            if shape.numel() > SMALL or len(places) < LEAST_STACK:
                self._alone += places
                continue
            rows = STACK_ELEMENTS // shape.numel()
            stacks += [places[i : i + rows] for i in range(0, len(places), rows)]
        # A script may have set another default device.
        order = torch.tensor([*chain(*stacks), *self._alone], device="cpu")
        self._places = order.argsort()
        """By tensor: the place of its figure among those of the stacks, and of the rest."""
        self._stacks = [(_picking(stack), len(stack)) for stack in stacks]
        """What picks the tensors of each, in C, and how many they are."""

    def reduce(
        self,
        tensors: Sequence[Tensor],
        reduce_rows: Callable[[Tensor], Tensor],
        reduce_alone: Callable[[list[Tensor]], Tensor],
    ) -> Tensor:
        """Return one figure a tensor, in their order: [tensors], on the CPU.

        There is one at least. ``reduce_rows`` takes a stack [rows, elements], ``reduce_alone`` all
        that are in none.
        """
        figures = [
            reduce_rows(torch.stack(pick(tensors)).view(rows, -1)) for pick, rows in self._stacks
        ]
        if not figures:
            return reduce_alone(list(tensors))
        if self._alone:
            figures.append(reduce_alone([tensors[i] for i in self._alone]))
        # As an index would, in less time.
        return torch.cat(figures).index_select(0, self._places)


def _picking(places: list[int]) -> Callable[[Sequence[Tensor]], tuple[Tensor, ...]]:
    """Return what picks those at these places: a slice where they are evenly apart."""
    first, last = places[0], places[-1]
    apart = max(1, (last - first) // max(1, len(places) - 1))
    if places == list(range(first, last + 1, apart)):
        return itemgetter(slice(first, last + 1, apart))
    return itemgetter(*places)


class KnownStacks:
    """Remembers how tensors were stacked: those of a model have their shapes for good."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Stacks] = {}

    def of(self, shapes: Sequence[torch.Size], key: Hashable) -> Stacks:
        """The stacks of tensors of these shapes; ``key``: whose stacks to remember these as."""
        known = self._known.get(key)
        if known is None or not (known.shapes is shapes or known.shapes == shapes):
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = known = Stacks(shapes)
        return known
