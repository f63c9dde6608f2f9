"""The elements of a tensor that this process holds, in one dense tensor."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..model.table import is_uninitialized
from ..torch_compat.tensors import wraps_others


@runtime_checkable
class Sharded(Protocol):
    """A DTensor, known by its method: importing its module would cost every job a second."""

    def to_local(self) -> Tensor:
        """This rank's own part."""


def local_part(tensor: Tensor) -> Tensor:
    """Return a sparse tensor's values, a sharded one's own part, and any other as it is."""
    if type(tensor) is not Tensor and isinstance(tensor, Sharded):
        tensor = tensor.to_local()
    return tensor.coalesce().values() if tensor.is_sparse else tensor


def unreadable(tensor: Tensor) -> str | None:
    """Say why the elements of a weight cannot be read here, or return None."""
    if is_uninitialized(tensor):
        return "it has no shape yet: its module is lazy and has not run"
    if tensor.is_meta:
        return "it is on the meta device and holds no numbers"
    if tensor.is_quantized or tensor.is_nested:
        return f"it is {'quantised' if tensor.is_quantized else 'nested'}"
    if tensor.layout not in (torch.strided, torch.sparse_coo):
        return f"its layout is {str(tensor.layout).removeprefix('torch.')}"
    if isinstance(tensor, Sharded):
        return None if tensor.to_local().numel() else "its elements lie on other ranks"
    if wraps_others(tensor):
        return f"a {type(tensor).__name__} keeps its numbers in tensors of its own"
    return None
