"""Keeps a ``GradScaler`` working when an optimizer gets no gradient, and knows its factor.

``scaler.step(optimizer)`` asserts "No inf checks were recorded for this optimizer" when
none of its parameters has a gradient
(https://docs.pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.step). So while the scaler
looks at the gradients of an optimizer that a freeze or a gate left idle, the smallest of its
parameters has a gradient of zeros. The optimizer itself never sees it, and moves nothing.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from ..base.guard import Guard
from ..model.table import ParameterTable, is_uninitialized
from ..torch_compat.grad_scaler import scale_of
from ..torch_compat.patching import Interceptions, looks_of_scalers, scaled_losses, weakly


class ScalerZeros:
    """Gradients of zeros for what a scaler looks at, while a command stands."""

    def __init__(self, table: ParameterTable, guard: Guard) -> None:
        self._table = table
        self._looks = Interceptions(self, guard, [looks_of_scalers(weakly(self._look))])

    def follow(self, *, needed: bool) -> None:
        """Stand by for scalers, or no longer."""
        self._looks.follow(needed=needed)

    def _look(
        self,
        look: Callable[..., Any],
        scaler: GradScaler,
        optimizer: Optimizer,
        *args: Any,
        **named: Any,
    ) -> Any:
        stand_in = self._idle(optimizer)
        if stand_in is not None:
            stand_in.grad = torch.zeros_like(stand_in)
        try:
            return look(scaler, optimizer, *args, **named)
        finally:
            if stand_in is not None:
                stand_in.grad = None

    def _idle(self, optimizer: Optimizer) -> Tensor | None:
        """Return the smallest parameter of ours of an optimizer that got no gradient at all."""
        own = [p for group in optimizer.param_groups for p in group["params"]]
        if any(parameter.grad is not None for parameter in own):
            return None
        ours = [p for p in own if id(p) in self._table.index_of and not is_uninitialized(p)]
        return min(ours, key=_reluctance, default=None)


def _reluctance(parameter: Tensor) -> tuple[bool, int]:
    """Sort by size, and last what a scaler refuses to look at."""
    return parameter.dtype is torch.float16, parameter.numel()


class LossScale:
    """The factor that AMP has put on the gradients of the present backward."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._scaler: weakref.ref[GradScaler] | None = None
        self._losses = Interceptions(self, guard, [scaled_losses(weakly(self._scale))])

    def follow(self, *, needed: bool) -> None:
        """Follow which scaler has scaled a loss, or no longer."""
        self._losses.follow(needed=needed)

    def tensor(self) -> Tensor | None:
        """The factor of the scaler in use on its device, a tensor of one element; None without."""
        scaler = None if self._scaler is None else self._scaler()
        return None if scaler is None else scale_of(scaler)

    def _scale(
        self, scale: Callable[..., Any], scaler: GradScaler, *losses: Any, **named: Any
    ) -> Any:
        with self._guard:
            self._scaler = weakref.ref(scaler) if scaler.is_enabled() else None
        return scale(scaler, *losses, **named)
