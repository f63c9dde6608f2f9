"""Compares the backward of a custom function with finite differences of its forward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from .applied_functions import Applied

DIRECTIONS = 4
"""Random directions in which each input is moved."""
STEPS = (1e-6, 1e-4, 1e-2)
"""How far it is moved, relative to its size; a longer way where a shorter drowns in rounding."""
SETTLED = 1e-3
"""Differences over one way and over twice that are the same, as far as they are trusted."""
TOLERANCE = 1e-2
"""How far a backward may be from the differences, relative to the larger of the two."""
NUDGES = (0.0, 1e-3, 1e-2)
"""How far the inputs are moved away from where they were, to leave a kink."""
_SEED = 20

FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a function may raise that is given float64, or inputs a little beside its own."""


class Kind(Enum):
    """How a backward differs from the derivative."""

    FLAT = "flat"
    """The derivative is zero, and the backward passes a gradient on."""
    MISSING = "missing"
    """The backward gives none, and the derivative is not zero."""
    FACTOR = "factor"
    """It is the derivative times a number."""
    OTHER = "other"


@dataclass(frozen=True)
class Deviation:
    """A backward that is not the derivative, in one input of one call."""

    applied: Applied
    position: int
    """Of the input, in what ``apply`` was given."""
    kind: Kind
    error: float
    """The largest difference in a direction, relative to the larger of the two."""
    factor: float = math.nan
    """What the derivative is multiplied by, of a :attr:`Kind.FACTOR`."""


@dataclass(frozen=True)
class Unchecked:
    """A call whose backward could not be compared, and why."""

    applied: Applied
    why: str


class _Unsettled(Exception):
    """Differences over ways of different lengths do not agree, at any length."""


def check(applied: Applied) -> list[Deviation] | Unchecked:
    """Compare the backward of one call; what it was given may hold any type and shape.

    The function is called again, with its inputs in float64, as often as it takes. Random numbers
    that it draws are the same in each call; the generators are not put back.
    """
    if applied.in_place:
        return Unchecked(applied, "it writes to what it is given")
    why = ""
    for wide in (True, False):
        for nudge in NUDGES:
            found = _compared(applied, nudge, wide=wide)
            if not isinstance(found, str):
                return found
            why = why or found
    return Unchecked(applied, why)


def _compared(applied: Applied, nudge: float, *, wide: bool) -> list[Deviation] | str:
    """Compare at one point; say why where that cannot be done."""
    try:
        return _Comparison(applied, nudge, wide=wide).deviations()
    except _Unsettled:
        return "its differences do not settle: it may be noisy, or have kinks everywhere"
    except FAILURES as error:
        return f"called again it raises {type(error).__name__}: {str(error).splitlines()[0]}"


class _Comparison:
    """One point at which a backward is compared with differences."""

    def __init__(self, applied: Applied, nudge: float, *, wide: bool) -> None:
        self._applied = applied
        self._numbers = torch.Generator().manual_seed(_SEED)
        self._given = [self._at(each, nudge, wide=wide) for each in applied.given]
        self._wanted = [i for i, source in enumerate(applied.sources) if source is not None]

    def deviations(self) -> list[Deviation]:
        """Compare each input that wants a gradient."""
        outputs = self._outputs(self._given)
        weights = [self._like(each) for each in outputs]
        inputs = [self._given[i] for i in self._wanted]
        gradients = torch.autograd.grad(outputs, inputs, weights, allow_unused=True)
        found = []
        for position, gradient in zip(self._wanted, gradients, strict=True):
            compared = self._compare(position, gradient, weights)
            if compared is not None:
                found.append(compared)
        return found

    def _compare(
        self, position: int, gradient: Tensor | None, weights: Sequence[Tensor]
    ) -> Deviation | None:
        mine, truth = [], []
        length = 0.0 if gradient is None else float(torch.linalg.vector_norm(gradient))
        for _ in range(DIRECTIONS):
            direction = self._like(self._given[position])
            mine.append(0.0 if gradient is None else _dot(gradient, direction))
            truth.append(self._difference(position, direction, weights))
        pairs = list(zip(mine, truth, strict=True))
        if not all(map(math.isfinite, [*mine, *truth])):
            raise _Unsettled
        error = max(_relative(a, b, length) for a, b in pairs)
        if error <= TOLERANCE:
            return None
        least = TOLERANCE * max(map(abs, [*mine, *truth]))
        if all(abs(b) <= least for b in truth):
            return Deviation(self._applied, position, Kind.FLAT, error)
        if all(abs(a) <= least for a in mine):
            return Deviation(self._applied, position, Kind.MISSING, error)
        ratios = [a / b for a, b in pairs if abs(b) > least]
        middle = sorted(ratios)[len(ratios) // 2]
        if all(_relative(a, middle * b, 0.0) <= TOLERANCE for a, b in pairs):
            return Deviation(self._applied, position, Kind.FACTOR, error, middle)
        return Deviation(self._applied, position, Kind.OTHER, error)

    def _difference(self, position: int, direction: Tensor, weights: Sequence[Tensor]) -> float:
        """Return the derivative in a direction, over the shortest way that gives a steady one."""
        size = max(1.0, float(self._given[position].detach().abs().max()))

        def at(way: float) -> float:
            return self._moved(position, direction, way, weights)

        here = at(0.0)
        noise = 1 + sum(float(torch.linalg.vector_norm(each)) for each in weights) * size
        for step in STEPS:
            way = step * size
            forth, back = (at(way) - here) / way, (here - at(-way)) / way
            twice = (at(2 * way) - at(-2 * way)) / (4 * way)
            once = (forth + back) / 2
            rounding = 1e-13 * noise / way
            largest = max(abs(once), abs(forth), abs(back))
            if max(abs(once - twice), abs(forth - back)) <= SETTLED * largest + rounding:
                return once
        raise _Unsettled

    def _moved(
        self, position: int, direction: Tensor, way: float, weights: Sequence[Tensor]
    ) -> float:
        given = list(self._given)
        moved = given[position].detach() + way * direction.to(given[position])
        given[position] = moved.requires_grad_()
        outputs = self._outputs(given)
        return sum(_dot(out.detach(), w) for out, w in zip(outputs, weights, strict=True))

    def _outputs(self, given: Sequence[Any]) -> list[Tensor]:
        torch.manual_seed(_SEED)
        # A leaf that wants a gradient may not be written to, nor returned as it is.
        taken = [each.clone() if isinstance(each, Tensor) else each for each in given]
        with torch.enable_grad():
            made = self._applied.function.apply(*taken)
        outputs = made if isinstance(made, tuple) else (made,)
        return [each for each in outputs if isinstance(each, Tensor) and each.requires_grad]

    def _at(self, value: Any, nudge: float, *, wide: bool) -> Any:
        if not isinstance(value, Tensor) or not (value.is_floating_point() or value.is_complex()):
            return value
        moved = value.detach()
        if wide:
            moved = moved.to(torch.complex128 if value.is_complex() else torch.float64)
        if nudge and value.requires_grad:
            moved = moved + nudge * (1 + moved.abs()) * self._like(moved)
        return moved.clone().requires_grad_(value.requires_grad)

    def _like(self, tensor: Tensor) -> Tensor:
        """Return random numbers in the shape of a tensor, the same ones on every device."""
        kind = torch.complex128 if tensor.is_complex() else torch.float64
        drawn = torch.randn(tensor.shape, generator=self._numbers, dtype=kind, device="cpu")
        return drawn.to(tensor.device, tensor.dtype)


def _dot(one: Tensor, other: Tensor) -> float:
    if one.is_complex() or other.is_complex():
        one, other = torch.view_as_real(one.to(other)), torch.view_as_real(other)
    return float((one.double() * other.double()).sum())


def _relative(one: float, other: float, length: float) -> float:
    """Return how far two derivatives are apart; ``length``: of the gradient."""
    largest = max(abs(one), abs(other), length)
    return abs(one - other) / largest if largest > 0 else 0.0
