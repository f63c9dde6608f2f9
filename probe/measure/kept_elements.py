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
    if weight.numel() <= most:
        return weight.reshape(-1)
    return elements_at(weight, spread_places(weight.numel(), step, most))


def spread_places(numel: int, step: int, most: int) -> range:
    """Return the places of at most ``most`` of so many elements: every n-th."""
    if numel <= most:
        return range(numel)
    stride = -(-numel // most)
    # With a factor in common it would see some rows or columns only.
    while math.gcd(stride, numel) > 1:
        stride += 1
    return range(step * SPREAD % stride, numel, stride)


def elements_at(tensor: Tensor, places: range) -> Tensor:
    """Return the elements at places in the order of the dimensions, [places].

    No other element is copied, also where the tensor leaves gaps in memory.
    """
    if tensor.is_contiguous():
        return tensor.view(-1)[places.start : places.stop : places.step]
    sizes, strides = tensor.shape, tensor.stride()
    place = torch.arange(places.start, places.stop, places.step, device=tensor.device)
    offset = place * strides[-1]
    for k in range(tensor.ndim - 1):
        # How much farther in memory this dimension leads than the whole of the next one.
        gap = strides[k] - sizes[k + 1] * strides[k + 1]
        if gap != 0:
            offset += place // math.prod(sizes[k + 1 :]) * gap
    span = 1 + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    return tensor.as_strided((span,), (1,))[offset]
