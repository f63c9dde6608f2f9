"""The L2 norm of many gradients together, by as few calls as can be."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import torch
from torch import Tensor, nn

from ..model.table import is_uninitialized
from ..torch_compat.tensors import wraps_others
from .local_part import local_part
from .norms import grad_norms
from .stacks import Stacks

_is_sparse = attrgetter("is_sparse")


class TotalNorm:
    """Takes the norm of the gradients of the same parameters, step after step."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        held = [each for each in parameters if not is_uninitialized(each) and each.numel()]
        self._parameters = held
        self._alike = len({(each.dtype, each.device) for each in held}) == 1 and all(
            type(each) is nn.Parameter and each.layout is torch.strided and not each.is_meta
            for each in held
        )
        """Whether all gradients can go into one call, unless one of them is sparse."""
        self._stacks: Stacks | None = None
        """Of the gradients of all parameters; made when it is first wanted."""

    def measure(self) -> list[Tensor]:
        """Return norms, float64 [1], that together are that of all gradients: one a type.

        Of a sharded gradient it is this process's own part; what wraps others otherwise is
        left out. Nothing waits for a device.
        """
        grads = [grad for each in self._parameters if (grad := each.grad) is not None]
        if not grads:
            return []
        with torch.no_grad():
            if not self._alike or any(map(_is_sparse, grads)):
                return [_together(group, None) for group in _groups(grads)]
            return [_together(grads, self._stacks_of(grads))]

    def _stacks_of(self, grads: Sequence[Tensor]) -> Stacks | None:
        if len(grads) < len(self._parameters) or grads[0].device.type != "cpu":
            return None
        if self._stacks is None:
            self._stacks = Stacks([grad.shape for grad in grads])
        return self._stacks


def _together(grads: list[Tensor], stacks: Stacks | None) -> Tensor:
    total: Tensor = torch.linalg.vector_norm(grad_norms(grads, stacks))
    return total.reshape(1)


def _groups(grads: Sequence[Tensor]) -> list[list[Tensor]]:
    """Sort what this process holds of some gradients by device and type."""
    groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for grad in grads:
        dense = local_part(grad)
        if dense.numel() and not dense.is_meta and not wraps_others(dense):
            groups.setdefault((dense.device, dense.dtype), []).append(dense)
    return list(groups.values())
