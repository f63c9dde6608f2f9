"""Keeps a ``GradScaler`` working when an optimizer gets no gradient, and reads its factor.

``scaler.step(optimizer)`` asserts "No inf checks were recorded for this optimizer" when
none of its parameters has a gradient
(https://docs.pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.step). So where such a
scaler exists, the smallest parameter of an optimizer that a freeze left idle is given a
gradient of zeros for the scaler to look at. It is taken away again before the optimizer's
own step, which therefore moves nothing.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from ..model.table import ParameterTable
from ..torch_compat.grad_scaler import enabled_scalers, scale_of


class ScalerZeros:
    """Gradients of zeros for optimizers whose parameters are all frozen or gated."""

    def __init__(self, optimizers: Sequence[Optimizer], table: ParameterTable) -> None:
        self._optimizers = optimizers
        self._table = table
        self._stand_ins: list[Tensor] = []
        self._candidates: list[Tensor] = []
        """Stand-ins to be, if ever there is a scaler."""
        self._asked = 0
        self._gated_stand_ins: list[Tensor] = []

    def update(self, frozen: Collection[int]) -> None:
        """Choose a stand-in of each optimizer whose parameters are all frozen.

        ``frozen``: those that are so by command, or kept untrained by a gate.
        """
        self.remove()
        for optimizer in self._optimizers:
            own = [p for group in optimizer.param_groups for p in group["params"]]
            untrained = [p for p in own if self._table.index_of.get(id(p), -1) in frozen]
            if untrained and not any(p.requires_grad for p in own):
                self._candidates.append(min(untrained, key=Tensor.numel))

    def fill(self) -> None:
        """Give each stand-in its zeros: after gradients were cleared, before the scaler looks."""
        if self._candidates and not torch.compiler.is_compiling():
            self._look_for_scaler()
        for parameter in self._stand_ins:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    def fill_gated(self) -> None:
        """Give zeros to each optimizer that got no gradient at all, after a backward with gates."""
        for optimizer in self._optimizers:
            own = [p for group in optimizer.param_groups for p in group["params"]]
            trainable = [p for p in own if p.requires_grad]
            if trainable and all(p.grad is None for p in own):
                parameter = min(trainable, key=Tensor.numel)
                parameter.grad = torch.zeros_like(parameter)
                self._gated_stand_ins.append(parameter)

    def clear_gated(self) -> None:
        """Take the zeros of :meth:`fill_gated` away: before an optimizer's step."""
        for parameter in self._gated_stand_ins:
            if parameter.grad is not None and not parameter.grad.any():
                parameter.grad = None
        self._gated_stand_ins.clear()

    def remove(self) -> None:
        """Take every stand-in's zeros away."""
        for parameter in self._stand_ins:
            if parameter.grad is not None and not parameter.grad.any():
                parameter.grad = None
        self._stand_ins, self._candidates, self._asked = [], [], 0

    def _look_for_scaler(self) -> None:
        """Take the candidates as stand-ins once there is a scaler, which may be made at any time.

        Looking takes long, so it becomes rarer and rarer.
        """
        self._asked += 1
        if self._asked & (self._asked - 1) == 0 and enabled_scalers():
            self._stand_ins, self._candidates = self._candidates, []


class LossScale:
    """The factor that AMP has put on the gradients of the present backward."""

    def __init__(self) -> None:
        self._scaler: weakref.ref[GradScaler] | None = None
        self._asked = 0

    def look(self) -> None:
        """Look for a scaler at the next backward."""
        self._asked = 0

    def tensor(self) -> Tensor | None:
        """The factor on its device, a tensor of one element; None without a scaler.

        A scaler may be made at any time; looking takes long, so it becomes rarer and rarer.
        """
        scaler = None if self._scaler is None else self._scaler()
        if scaler is None:
            self._asked += 1
            if self._asked & (self._asked - 1):
                return None
            # One that has scaled no loss yet has no factor on a device.
            used = (s for s in enabled_scalers() if scale_of(s) is not None)
            scaler = next(used, None)
            self._scaler = None if scaler is None else weakref.ref(scaler)
        return None if scaler is None else scale_of(scaler)
