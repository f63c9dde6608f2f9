"""A range of steps that somebody asks about."""

from __future__ import annotations

from dataclasses import dataclass

from ..protocol import limits
from .refusals import ReversedRange


@dataclass(frozen=True, slots=True)
class StepRange:
    """The steps from one to another, both included."""

    first: int = 0
    last: int = limits.NUMBER


def step_range(first: int | None, last: int | None) -> StepRange:
    """Return the range between two steps, None for an open end; raises `ReversedRange`."""
    if first is not None and last is not None and first > last:
        raise ReversedRange(first, last)
    return StepRange(0 if first is None else first, limits.NUMBER if last is None else last)
