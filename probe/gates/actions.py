"""What a closed gate does to the gradient that arrives at it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..base.errors import CommandError

ACTIONS = ("block", "scale", "clip")


@dataclass(frozen=True)
class Action:
    """``block`` (nothing passes), ``scale`` (by ``factor``) or ``clip`` (to ``max_norm``)."""

    kind: str = "block"
    factor: float | None = None
    max_norm: float | None = None

    def check(self) -> None:
        """Raise :class:`CommandError` for what makes no sense, saying what to give."""
        if self.kind not in ACTIONS:
            raise CommandError(
                f"action {self.kind!r} is unknown; give one of {', '.join(map(repr, ACTIONS))}."
            )
        if (self.factor is not None) != (self.kind == "scale"):
            raise CommandError(
                "action 'scale' needs factor, any number (-1 reverses)."
                if self.kind == "scale"
                else f"factor belongs to action 'scale', not to {self.kind!r}."
            )
        if (self.max_norm is not None) != (self.kind == "clip"):
            raise CommandError(
                "action 'clip' needs max_norm, a number above 0."
                if self.kind == "clip"
                else f"max_norm belongs to action 'clip', not to {self.kind!r}."
            )
        if self.factor is not None and not math.isfinite(self.factor):
            raise CommandError(f"factor={self.factor} is no finite number; give one.")
        if self.max_norm is not None and not 0 < self.max_norm < math.inf:
            raise CommandError(f"max_norm={self.max_norm}: give a finite number above 0.")

    def on(self, grad: Tensor, loss_scale: Tensor | None = None) -> Tensor | None:
        """Return what passes of ``grad``, of its shape; None prunes everything upstream.

        ``loss_scale``: the factor that AMP has put on the gradient, if any. Differentiable,
        so that a gradient penalty sees it; nothing is read from the device.
        """
        if self.factor is not None:
            return grad * self.factor
        if self.max_norm is not None:
            return _clipped(grad, self.max_norm, loss_scale)
        return None

    def norm_after(self, norm: float) -> float:
        """The L2 norm of what passes of a gradient with this norm."""
        if self.factor is not None:
            return abs(self.factor) * norm
        if self.max_norm is not None:
            return min(self.max_norm, norm)
        return 0.0


def _clipped(grad: Tensor, max_norm: float, loss_scale: Tensor | None) -> Tensor:
    """``grad`` with an L2 norm of at most ``max_norm``; exactly ``grad`` if it has no more."""
    values = grad.coalesce().values() if grad.is_sparse else grad
    # A half's range and precision do not do for the sum of squares.
    wide = torch.float32 if grad.dtype in (torch.float16, torch.bfloat16) else None
    norm = torch.linalg.vector_norm(values, dtype=wide)
    most = max_norm * (torch.ones_like(norm) if loss_scale is None else loss_scale.to(norm))
    # Never a division by zero: the branch not taken has a gradient too.
    factor = most / torch.maximum(norm, most)
    return grad * factor if grad.is_sparse else torch.where(norm > most, grad * factor, grad)
