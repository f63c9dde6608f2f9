"""Tensors whose values are kept, to be put back bit by bit whatever has written to them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ..torch_compat.tensors import inner_tensors

_WORDS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class KeptTensors:
    """Copies tensors, on their own devices, and puts back what is no longer what it was.

    What is still the same is not written to: a graph that was built before stays good.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        """By ``id``: the tensor, another name of its memory, and a copy."""

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Keep what these tensors hold now; of one that is kept already, what it held first."""
        with torch.no_grad():
            for tensor in tensors:
                for plain in inner_tensors(tensor):
                    if _has_bits(plain) and id(plain) not in self._kept:
                        memory = plain.detach()
                        self._kept[id(plain)] = plain, memory, memory.clone()

    def put_back(self) -> None:
        """Let every tensor hold what it held, in the memory in which it held that."""
        with torch.no_grad():
            for tensor, memory, copy in self._kept.values():
                if _place(tensor) != _place(memory):  # tensor.data = …
                    tensor.data = memory
                if not _same_bits(memory, copy):
                    memory.copy_(copy)


def _has_bits(tensor: Tensor) -> bool:
    ordinary = tensor.layout is torch.strided and not tensor.is_nested and not tensor.is_quantized
    return ordinary and not tensor.is_meta


def _place(tensor: Tensor) -> tuple[object, ...]:
    return tensor.data_ptr(), tensor.dtype, tensor.device, tensor.shape, tensor.stride()


def _same_bits(one: Tensor, other: Tensor) -> bool:
    """Compare the bits: NaN is the same as itself, and 0.0 is not -0.0."""
    return torch.equal(_bits(one), _bits(other))


def _bits(tensor: Tensor) -> Tensor:
    data = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return data.contiguous().view(_WORDS[data.element_size()])
