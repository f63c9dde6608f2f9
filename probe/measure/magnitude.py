"""How large what a tensor holds is: whether it is all zeros, and whether it is finite."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from ..base.states import State
from ..torch_compat.tensors import is_freed, is_inside_transform, wraps_others

LARGE = 4096
"""Elements from which on ``aminmax`` is faster than an infinity norm; 70 times at a million."""


def magnitude(tensor: Tensor) -> Tensor | None:
    """The largest magnitude, on the tensor's own device: 0, a number, infinity or NaN.

    NaN wins over every number in it. None for a tensor that has no magnitude: an empty one,
    integers or floats of eight bits, a sparse, nested, fake or meta tensor, one inside of
    ``torch.func``, one that wraps others, such as a sharded one, and one whose memory was freed.
    """
    if not (tensor.is_floating_point() or tensor.is_complex()) or tensor.numel() == 0:
        return None
    if tensor.layout is not torch.strided or tensor.is_meta or tensor.is_quantized:
        return None
    if tensor.is_nested or wraps_others(tensor):
        return None
    if tensor.dtype.itemsize == 1 or is_inside_transform(tensor) or is_freed(tensor):
        return None
    held = tensor.detach()
    if held.numel() < LARGE or held.is_complex():
        norm: Tensor = torch.linalg.vector_norm(held, float("inf"))
        return norm
    least, most = torch.aminmax(held)
    return torch.maximum(-least, most)


def measured(tensor: Tensor) -> Tensor | float | None:
    """The magnitude, read at once on the host, where that waits for nothing.

    To keep small tensors there would pin the heap between the activations that a step frees:
    glibc cannot use a block again that somebody has cut a few bytes off.
    """
    size = magnitude(tensor)
    return size.item() if size is not None and size.device.type == "cpu" else size


def state_word(size: float) -> str:
    """The state of a gradient with this largest magnitude, in the words of a sample."""
    if size == 0:
        return State.ZERO.word
    return (State.PRESENT if math.isfinite(size) else State.NONFINITE).word


def read(sizes: Iterable[Tensor]) -> list[float]:
    """The values of 0-dimensional tensors, with one copy for each device and dtype."""
    given = list(sizes)
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for i, size in enumerate(given):
        groups.setdefault((size.device, size.dtype), []).append(i)
    values = [0.0] * len(given)
    for places in groups.values():
        stacked = torch.stack([given[i] for i in places]).tolist()
        for i, value in zip(places, stacked, strict=True):
            values[i] = value
    return values
