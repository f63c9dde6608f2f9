"""The elements of a tensor that this process holds, in one dense tensor."""

from __future__ import annotations

from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from ..model.table import is_uninitialized
from ..torch_compat.tensors import is_freed, wraps_others


@runtime_checkable
class Sharded(Protocol):
    """A DTensor, known by its method: importing its module would cost every job a second."""

    def to_local(self) -> Tensor:
        """This rank's own part."""


def is_sharded(tensor: Tensor) -> bool:
    """Return whether a tensor is a DTensor, of which each rank has a part of its own."""
    return type(tensor) is not Tensor and isinstance(tensor, Sharded)


def own_part(tensor: Tensor) -> Tensor:
    """Return a sharded tensor's part on this rank, and any other as it is.

    Of a sharded one nothing else is asked, not even ``detach()``: of a norm that the ranks have not
    added up yet that is a collective (torch 2.15).
    """
    if not is_sharded(tensor):
        return tensor
    with torch.no_grad():  # else it would be a function of autograd's
        return cast(Sharded, tensor).to_local()


def local_part(tensor: Tensor) -> Tensor:
    """Return a sparse tensor's values, a sharded one's own part, and any other as it is."""
    part = own_part(tensor)
    return part.coalesce().values() if part.is_sparse and not part.is_meta else part


def is_part(tensor: Tensor) -> bool:
    """Return whether other ranks hold elements of a tensor that this one does not."""
    return is_sharded(tensor) and own_part(tensor).numel() < tensor.numel()


def unreadable(weight: Tensor) -> str | None:
    """Say why the elements of a weight cannot be read here, or return None."""
    if weight.is_meta:
        return "it is on the meta device and holds no numbers"
    if weight.is_quantized or weight.is_nested:
        return f"it is {'quantised' if weight.is_quantized else 'nested'}"
    if weight.layout is not torch.strided and weight.layout is not torch.sparse_coo:
        return f"its layout is {str(weight.layout).removeprefix('torch.')}"
    # Of nothing else is a Parameter of this very type, which is asked first as it costs least.
    return _freed(weight) if type(weight) is nn.Parameter else _unreadable_subclass(weight)


def _unreadable_subclass(weight: Tensor) -> str | None:
    if is_uninitialized(weight):
        return "it has no shape yet: its module is lazy and has not run"
    if isinstance(weight, Sharded):
        part = weight.to_local()
        return _freed(part) if part.numel() else "its elements lie on other ranks"
    if wraps_others(weight):
        return f"a {type(weight).__name__} keeps its numbers in tensors of its own"
    return _freed(weight)


def _freed(weight: Tensor) -> str | None:
    return "its memory was given back" if is_freed(weight) else None
