"""Elements of weights, kept over one step of an optimizer: how far did they move?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .norms import grad_norms

MOST = 4096
"""Elements that are kept of one weight, at most: of a smaller one all, and its change is exact.

Of a larger one the norm of the change is an estimate from every n-th element. Where all elements
move alike, as by Adam or by a dense gradient, its standard error is 1 to 2 %; where only a share
``s`` of them moves, as in an embedding, about ``1 / (2 * sqrt(4096 * s))``: 8 % where one in a
hundred does.
"""

SPREAD = 2654435761
"""A prime by which steps that follow each other begin at elements far apart."""


class KeptElements:
    """Elements of weights of one device and dtype, as they were before a step."""

    def __init__(self, weights: Sequence[Tensor], step: int) -> None:
        """``weights`` are dense and not empty; of large ones ``step`` decides which elements."""
        self._step = step
        kept = [spread(weight, step) for weight in weights]
        self._counts = [elements.numel() for elements in kept]
        self._values = torch.cat(kept)
        self.factors = [
            math.sqrt(weight.numel() / count)
            for weight, count in zip(weights, self._counts, strict=True)
        ]
        """By what each norm of :meth:`changes` is to be multiplied to be that of all elements."""

    def changes(self, weights: Sequence[Tensor]) -> Tensor:
        """Return the norm of the change of each of the same weights, by the elements kept.

        float64 [weights], on their device; nobody waits.
        """
        now = torch.cat([spread(weight, self._step) for weight in weights])
        wide = torch.promote_types(now.dtype, torch.float32)
        change = now.to(wide) - self._values.to(wide)
        return grad_norms(list(change.split(self._counts)))


def spread(weight: Tensor, step: int, most: int = MOST) -> Tensor:
    """Return at most ``most`` elements, [elements]: every n-th, from one that ``step`` decides."""
    numel = weight.numel()
    flat = weight.reshape(-1)
    if numel <= most:
        return flat
    stride = -(-numel // most)
    # With a factor in common it would see some rows or columns only.
    while math.gcd(stride, numel) > 1:
        stride += 1
    return flat[step * SPREAD % stride :: stride]
