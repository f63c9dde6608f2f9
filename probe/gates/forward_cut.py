"""Cuts the graph in the forward where it is known already that nothing will pass.

A hook in the backward can stop the work upstream of it, but autograd still goes through every
node there, and what those had kept for the backward is held until then. So a tensor whose
gradient is known to be blocked gets a node of its own, with nothing behind it. It stays the same
object, since the module that made it, or a hook, may hold on to it; and a gradient still arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ..torch_compat import versions
from ..torch_compat.autograd import observed_by_transforms
from ..torch_compat.function_modes import observed
from ..torch_compat.tensors import is_view, may_have_hooks

Leaves: TypeAlias = Callable[[], Iterable["Tensor | None"]]
"""The leaves that would get a gradient, None for one that is hidden."""


@dataclass(frozen=True)
class ForwardCut:
    """A cut in the forward, at a site that nothing will pass."""

    pass_on: Callable[[Tensor], Tensor | None]
    """Called with the gradient that arrives."""
    leaves: Leaves
    """The leaves that are cut off."""


def may_cut(tensor: Tensor) -> bool:
    """Return whether nobody will see the difference.

    A hook that is or was on the tensor is kept by the node that it has. A view
    belongs to its base. Transforms, traces and modes look at what happens here.
    """
    return (
        type(tensor) is Tensor
        and tensor.layout is torch.strided
        and tensor.grad_fn is not None
        and not hasattr(tensor.grad_fn, "cut_off")
        and not (is_view(tensor) or tensor.retains_grad or may_have_hooks(tensor))
        and not observed_by_transforms()
        and not observed()
        and versions.can_preserve
    )


def cut(tensor: Tensor, leaves: Leaves) -> None:
    """Give a tensor a node with nothing behind it; values and version stay as they are."""
    anchor = torch.empty(1, device=tensor.device, requires_grad=True)
    with versions.preserved(tensor):
        _Cut.apply(anchor, tensor.detach_(), leaves)  # type: ignore[no-untyped-call]


class _Cut(torch.autograd.Function):
    """The identity in place, whose result requires a gradient and passes none on."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, value: Tensor, leaves: Leaves) -> Tensor:
        ctx.mark_dirty(value)
        ctx.set_materialize_grads(False)
        ctx.cut_off = leaves
        return value

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[None, None, None]:
        return None, None, None
