"""The norms of gradients that came to gates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ..base.guard import Guard
from ..measure.norms import grad_norms
from ..torch_compat.readback import Readback
from .gate import Gate

MOST_WAITING = 1000
"""Norms that wait for their device, at most."""

Figures: TypeAlias = dict[int, dict[str, float | None]]
"""By step and the name of the metric; None for a value that is not finite."""


@dataclass(frozen=True)
class _WaitingNorm:
    gate: Gate
    step: int
    closed: bool
    norm: Readback


class GateNorms:
    """Norms that were measured, and may not be read from the device yet."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._waiting: list[_WaitingNorm] = []

    def add(self, gate: Gate, step: int, norm: Tensor, *, closed: bool) -> None:
        """Queue the norm [1] of a gradient that came to a gate in ``step``."""
        self._waiting.append(_WaitingNorm(gate, step, closed, Readback([norm])))

    def read(self, figures: Figures) -> None:
        """Take in what has arrived; of several norms in a step ``figures`` gets the largest."""
        waiting = []
        for item in self._waiting:
            with self._guard:
                if not item.norm.ready():
                    waiting.append(item)
                    continue
                norm, gate = float(item.norm.values()[0]), item.gate
                gate.record_norm(norm, closed=item.closed)
                name, known = f"gate {gate.id} norm", figures.setdefault(item.step, {})
                finite = norm if math.isfinite(norm) else None
                earlier = known.get(name, 0.0)
                known[name] = None if finite is None or earlier is None else max(finite, earlier)
        self._waiting = waiting[-MOST_WAITING:]


def norm_of(grad: Tensor, scale: Tensor | None) -> Tensor:
    """Return the L2 norm of a gradient that carries AMP's ``scale``, float64 [1], on its device."""
    dense = grad.detach()
    if dense.is_sparse:
        dense = dense.coalesce().values()
    with torch.no_grad():
        if dense.numel() == 0:
            return torch.zeros(1, dtype=torch.float64, device=dense.device)
        norm = grad_norms([dense.contiguous()])
        return norm if scale is None else norm / scale.to(norm)
