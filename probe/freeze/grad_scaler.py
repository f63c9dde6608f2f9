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
from ..torch_compat.heap import living


class IdleOptimizers:
    """The optimizers that freezes left without anything to do."""

    def __init__(self, optimizers: Sequence[Optimizer], table: ParameterTable) -> None:
        self._optimizers = optimizers
        self._table = table
        self._stand_ins: list[Tensor] = []
        self._candidates: list[Tensor] = []
        """Stand-ins to be, if ever there is a scaler."""
        self._asked = 0
        self._fed: list[Tensor] = []

    def note(self, frozen: Collection[int]) -> None:
        """Find the optimizers whose parameters are all frozen, ``frozen`` by command."""
        self.remove()
        for optimizer in self._optimizers:
            held = [p for group in optimizer.param_groups for p in group["params"]]
            ours = [p for p in held if self._table.index_of.get(id(p), -1) in frozen]
            if ours and not any(p.requires_grad for p in held):
                self._candidates.append(min(ours, key=Tensor.numel))

    def feed(self) -> None:
        """Give each stand-in its zeros: after gradients were cleared, before the scaler looks."""
        if self._candidates and not torch.compiler.is_compiling():
            self._look_for_scaler()
        for parameter in self._stand_ins:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    def feed_gated(self) -> None:
        """After a backward that gates have kept from all parameters of an optimizer."""
        for optimizer in self._optimizers:
            held = [p for group in optimizer.param_groups for p in group["params"]]
            trainable = [p for p in held if p.requires_grad]
            if trainable and all(p.grad is None for p in held):
                parameter = min(trainable, key=Tensor.numel)
                parameter.grad = torch.zeros_like(parameter)
                self._fed.append(parameter)

    def take_back(self) -> None:
        """Before an optimizer's step: take zeros away that stood in for gated gradients."""
        for parameter in self._fed:
            if parameter.grad is not None and not parameter.grad.any():
                parameter.grad = None
        self._fed.clear()

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
        if self._asked & (self._asked - 1) == 0 and _scaler_exists():
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
            used = (s for s in living(GradScaler) if s.is_enabled() and s._scale is not None)
            scaler = next(used, None)
            self._scaler = None if scaler is None else weakref.ref(scaler)
        return None if scaler is None else scaler._scale


def _scaler_exists() -> bool:
    """Whether the job has an enabled ``GradScaler``."""
    return any(scaler.is_enabled() for scaler in living(GradScaler))
