"""A tensor's numbers in the order in which they lie in memory."""

from __future__ import annotations

from torch import Tensor


def in_memory_order(tensor: Tensor) -> Tensor:
    """Return the same numbers with the dimensions in the order of their strides, longest first."""
    return tensor.permute(sorted(range(tensor.ndim), key=tensor.stride, reverse=True))
