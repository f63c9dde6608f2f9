"""The actions of gates, one class each: what a closed gate does to the gradient that arrives.

To add one: a class with ``kind``, ``pass_on`` and ``norm_after``, and its entry in ``ACTIONS``. An
option that only it takes is a field of it that ``option`` names.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..base.errors import CommandError
from ..measure.norms import grad_norm


class Action(ABC):
    """An action; one that makes no sense cannot be made: that raises :class:`CommandError`."""

    kind: ClassVar[str]
    """Its name, as in a command."""
    option: ClassVar[str | None] = None
    """The option that it needs, and no other action takes."""
    wanted: ClassVar[str] = ""
    """What the option is, for somebody who did not give it."""
    needs_norm: ClassVar[bool] = False
    """Whether what passes depends on the norm of the gradient."""
    adds_up: ClassVar[bool] = False
    """Whether it changes again what it has let pass of a sum, when more is added to that."""
    blocks: ClassVar[bool] = False
    """Whether nothing passes, not even zeros, so that what lies upstream gets no gradient."""
    factor: float | None = None
    max_norm: float | None = None

    @property
    def zeroes(self) -> bool:
        """Whether what passes is a gradient of zeros."""
        return False

    @abstractmethod
    def pass_on(
        self, grad: Tensor, loss_scale: Tensor | None = None, whole: float | None = None
    ) -> Tensor | None:
        """Return what passes of ``grad``, of its shape; None prunes everything upstream.

        ``loss_scale``: the factor that AMP has put on the gradient, if any. ``whole``: the norm of
        the gradient, without that, where ``grad`` is only a part of it. Differentiable,
        so that a gradient penalty sees it; nothing is read from the device.
        """

    @abstractmethod
    def norm_after(self, norm: float) -> float:
        """Return the L2 norm of what passes of a gradient with this norm."""


@dataclass(frozen=True)
class Block(Action):
    """Lets nothing pass."""

    kind: ClassVar[str] = "block"
    blocks: ClassVar[bool] = True

    def pass_on(
        self, grad: Tensor, loss_scale: Tensor | None = None, whole: float | None = None
    ) -> Tensor | None:
        """Return None: an undefined gradient."""
        return None

    def norm_after(self, norm: float) -> float:
        """Return 0."""
        return 0.0


@dataclass(frozen=True)
class Scale(Action):
    """Multiplies by ``factor``."""

    factor: float
    kind: ClassVar[str] = "scale"
    adds_up: ClassVar[bool] = True
    option: ClassVar[str | None] = "factor"
    wanted: ClassVar[str] = "any number (-1 reverses)"

    def __post_init__(self) -> None:
        if not math.isfinite(self.factor):
            raise CommandError(f"factor={self.factor} is no finite number; give one.")

    @property
    def zeroes(self) -> bool:
        """Whether the factor is 0."""
        return self.factor == 0

    def pass_on(
        self, grad: Tensor, loss_scale: Tensor | None = None, whole: float | None = None
    ) -> Tensor | None:
        """Return the product."""
        return grad * self.factor

    def norm_after(self, norm: float) -> float:
        """Return the norm times the factor's magnitude."""
        return abs(self.factor) * norm


@dataclass(frozen=True)
class Clip(Action):
    """Brings the L2 norm down to ``max_norm``; what has less passes untouched, to the bit."""

    max_norm: float
    kind: ClassVar[str] = "clip"
    needs_norm: ClassVar[bool] = True
    option: ClassVar[str | None] = "max_norm"
    wanted: ClassVar[str] = "a number above 0"

    def __post_init__(self) -> None:
        if not 0 < self.max_norm < math.inf:
            raise CommandError(f"max_norm={self.max_norm}: give a finite number above 0.")

    def pass_on(
        self, grad: Tensor, loss_scale: Tensor | None = None, whole: float | None = None
    ) -> Tensor | None:
        """Return ``grad`` with a norm of at most ``max_norm`` times the loss scale."""
        values = grad.coalesce().values() if grad.is_sparse else grad
        # A half's range and precision do not do for the sum of squares.
        wide = torch.float32 if grad.dtype in (torch.float16, torch.bfloat16) else None
        if whole is None:
            norm = grad_norm(values, wide)
            scale = torch.ones_like(norm) if loss_scale is None else loss_scale.to(norm)
        else:
            one = values.new_ones((), dtype=wide or values.dtype)
            scale = one if loss_scale is None else loss_scale.to(one)
            norm = whole * scale
        most = self.max_norm * scale
        # Never a division by zero: the branch not taken has a gradient too.
        factor = most / torch.maximum(norm, most)
        return grad * factor if grad.is_sparse else torch.where(norm > most, grad * factor, grad)

    def norm_after(self, norm: float) -> float:
        """Return the norm, ``max_norm`` at most."""
        return min(self.max_norm, norm)


ACTIONS: Mapping[str, type[Action]] = {action.kind: action for action in (Block, Scale, Clip)}


def make_action(kind: str, **options: float | None) -> Action:
    """Return the action of this name; raise :class:`CommandError`, saying what to give."""
    wanted = ACTIONS.get(kind) if isinstance(kind, str) else None
    if wanted is None:
        known = ", ".join(map(repr, ACTIONS))
        raise CommandError(f"action {kind!r} is unknown; give one of {known}.")
    given = {name: value for name, value in options.items() if value is not None}
    for action in ACTIONS.values():
        if action is not wanted and action.option in given:
            raise CommandError(
                f"{action.option} belongs to action {action.kind!r}, not to {kind!r}."
            )
        if action is wanted and action.option is not None and action.option not in given:
            raise CommandError(f"action {kind!r} needs {action.option}, {action.wanted}.")
    return wanted(**given)
